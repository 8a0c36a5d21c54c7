"""Bring `indexer/providers/prices.json` up to date from a public price map: `make prices FROM=...`.

FROM is litellm's price map as JSON, or a wheel of litellm that holds it. Only models that the table names are looked
at; what the map does not know is kept and told. A dated rise that the table knows stays as it is. Read what changed
before you commit it: the map is written by many hands, and services' own pages win.
"""

from __future__ import annotations

import json
import sys
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[1] / "indexer" / "providers" / "prices.json"
_IN_WHEEL = "litellm/model_prices_and_context_window_backup.json"
_PREFIXES = {"gemini": "gemini/", "mistral": "mistral/", "deepseek": "deepseek/", "vertex": "vertex_ai/"}
_FIELDS = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost")
_WRITES = {"anthropic": "cache_creation_input_token_cost_above_1hr"}  # our cached prefixes live an hour
_MODES = {"standard": "", "batch": "_batches", "flex": "_flex"}
_HALF = {"batch", "flex"}


def read_map(path: Path) -> dict[str, Any]:
    """Return the public map that `path` holds, a JSON file or a wheel."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as wheel:
            found = json.loads(wheel.read(_IN_WHEEL))
    else:
        found = json.loads(path.read_text("utf-8"))
    return dict(found)


def updated(table: dict[str, Any], public: dict[str, Any], today: date) -> tuple[dict[str, Any], list[str]]:
    """Return the table with the map's prices and shutdown days, and a line for each change and each unknown model."""
    told: list[str] = []
    gone = dict(table["retirements"])
    models = []
    for entry in table["models"]:
        name = entry["model"]
        known = public.get(_PREFIXES.get(entry["provider"], "") + name)
        if known is None:
            told.append(f"{name}: not in the map, kept")
        elif date.fromisoformat(entry.get("since", "0001-01-01")) <= today and _in_force(table, entry, today):
            new = {**entry, **_priced(entry, known)}
            told += [f"{name} {mode}: {entry[mode]} -> {new[mode]}" for mode in new if new[mode] != entry[mode]]
            entry = new
        day = known.get("deprecation_date") if known else None
        if day and gone.get(name) != day:
            told.append(f"{name}: switched off on {day}")
            gone[name] = day
        models.append(entry)
    return {**table, "read_on": today.isoformat(), "retirements": gone, "models": models}, told


def written(table: dict[str, Any]) -> str:
    """Return the table as JSON with one model a line."""
    head = {name: value for name, value in table.items() if name != "models"}
    lines = [f" {json.dumps(name)}: {json.dumps(value)}," for name, value in head.items()]
    rows = ",\n".join(f"  {json.dumps(entry)}" for entry in table["models"])
    return "\n".join(["{", *lines, ' "models": [', rows, " ]", "}", ""])


def _in_force(table: dict[str, Any], entry: dict[str, Any], today: date) -> bool:
    """Whether no later tariff of the same model has begun."""
    since = entry.get("since", "")
    others = (other.get("since", "") for other in table["models"] if other["model"] == entry["model"])
    return not any(since < other <= today.isoformat() for other in others)


def _priced(entry: dict[str, Any], known: dict[str, Any]) -> dict[str, list[float]]:
    """Return the entry's modes at the map's prices; a mode without its own is half where it was half before."""
    fields = (*_FIELDS, _WRITES.get(entry["provider"], "cache_creation_input_token_cost"))
    found: dict[str, list[float]] = {}
    for mode, ending in _MODES.items():
        if mode not in entry:
            continue
        found[mode] = []
        for place, old in enumerate(entry[mode]):
            exact = known.get(fields[place] + ending)
            full = known.get(fields[place])
            half = full / 2 if full is not None and mode in _HALF else None
            per_token = exact if exact is not None else half
            found[mode].append(old if per_token is None else _per_million(per_token))
    off_peak = known.get("off_peak_pricing")
    if "off_peak" in entry and off_peak:
        prices = zip(fields, entry["off_peak"], strict=False)
        found["off_peak"] = [_per_million(off_peak[name]) if name in off_peak else old for name, old in prices]
    return found


def _per_million(per_token: float) -> float:
    return float(f"{per_token * 1e6:.6g}")


def main(path: str) -> None:
    """Write the new table and print what changed."""
    table, told = updated(json.loads(TABLE.read_text("utf-8")), read_map(Path(path)), date.today())
    TABLE.write_text(written(table), "utf-8")
    sys.stdout.write("\n".join([*(told or ["nothing changed but the day on which it was read"]), ""]))


if __name__ == "__main__":
    main(*sys.argv[1:2])
