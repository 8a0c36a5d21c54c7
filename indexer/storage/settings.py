"""Settings of a library: `captionary.toml` in its folder, below `CAPTIONARY_*`, below the command's flags."""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from indexer.domain.errors import BadSetting
from indexer.domain.nearest import did_you_mean
from indexer.domain.tags import MOST_TAGS
from indexer.domain.workers import WANTED, Workers, is_workers
from indexer.storage.layout import SETTINGS_FILE
from indexer.storage.regular import read_regular

ENV_PREFIX = "CAPTIONARY_"
_ELSEWHERE = ("library", "preview", "inbox_token", "inbox_secret")  # what is set outside the library, and secrets
_MOVED = {"tier": "gemini_tier", "schema_field": "gemini_schema_field"}
_CHOICES: Mapping[str, tuple[object, ...]] = {
    "mode": ("batch", "interactive", "flex", "off-peak"),
    "media_resolution": ("low", "medium", "high"),
}
USUAL_CONCURRENCY = 4


@dataclass(frozen=True, slots=True)
class Config:
    """What can be set once for a library; None leaves the choice to the provider or the machine.

    Money is in US dollars, times are seconds; `prices` maps a model to "IN,OUT" per million tokens. `tables` are the
    providers' own settings by the name of their table, not checked yet (see `options`). `most_tags` caps the generated
    tags of a photo, `banned_tags` are never among them, `vocabulary` is a file with the only ones that may be.
    `text_model` names a sentence-transformers model to embed with instead of the default, `image_model` one that embeds
    pictures and texts alike, besides it. `concurrency` is how many single calls are out at once; None leaves it to the
    server where it says how many it takes.
    """

    provider: str = "auto"
    model: str | None = None
    mode: str | None = None
    language: str | None = None
    media_resolution: str | None = None
    pilot: int | None = None
    budget: float | None = None
    budget_total: float | None = None
    budget_per_day: float | None = None
    workers: Workers | None = None
    concurrency: int | None = None
    max_pixels: int | None = None
    min_side: int = 64
    one_per_burst: bool | None = None
    keep_batches: bool = False
    shard_lines: int = 2000
    poll_seconds: float = 2.0
    lookup_seconds: float = 120.0
    most_tags: int = MOST_TAGS
    banned_tags: tuple[str, ...] = ()
    vocabulary: str | None = None
    text_model: str | None = None
    image_model: str | None = None
    prices: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def calls_at_once(self, slots: int | None = None) -> int:
        """Return how many single calls may be out at once, at a server that says how many it takes or does not."""
        return self.concurrency if self.concurrency is not None else slots or USUAL_CONCURRENCY


def _kinds(annotation: Any) -> tuple[type, ...]:
    """The types that a setting's value may have in TOML, by the annotation of its field."""
    if get_origin(annotation) in (tuple, Mapping):
        return (list,) if get_origin(annotation) is tuple else (dict,)
    kinds = tuple(each for each in get_args(annotation) if each is not type(None)) or (annotation,)
    return (float, int) if kinds == (float,) else kinds


_KINDS = {name: _kinds(annotation) for name, annotation in get_type_hints(Config).items() if name != "tables"}


def read_config(folder: Path, environ: Mapping[str, str]) -> Config:
    """Return the settings of the library in `folder`; raises `BadSetting` that names the unknown or unfit one."""
    return _with_environment(_from_file(folder / SETTINGS_FILE), environ)


def _from_file(path: Path) -> Config:
    try:
        told = tomllib.loads(read_regular(path).decode("utf-8"))
    except FileNotFoundError:
        return Config()
    except (ValueError, RecursionError) as fault:
        raise BadSetting(f"{path} is not TOML: {fault}", hint="fix that line or delete the file") from fault
    except OSError as fault:
        raise BadSetting(f"{path} cannot be read: {fault.strerror}", hint="check that file, or delete it") from fault
    config = Config()
    for name, value in _in_place(told).items():
        if isinstance(value, dict) and name not in _KINDS:
            config = replace(config, tables={**config.tables, name: value})
            continue
        if name not in _KINDS:
            known = f"known: {', '.join(sorted(_KINDS))}"
            raise BadSetting(f"{path}: there is no setting {name!r}", hint=did_you_mean(name, _KINDS) or known)
        config = replace(config, **{name: _checked(name, value, str(path))})
    if config.vocabulary:  # named in a file, so it is looked for beside that file
        beside = os.path.join(path.parent, os.path.expanduser(config.vocabulary))  # noqa: PTH111, PTH118
        config = replace(config, vocabulary=beside)
    return config


def _in_place(told: dict[str, Any]) -> dict[str, Any]:
    """Put settings that once stood at the top into the table where they stand now."""
    placed = {name: value for name, value in told.items() if name not in _MOVED}
    for name in told.keys() & _MOVED.keys():
        table, _, option = _MOVED[name].partition("_")
        placed[table] = {option: told[name], **placed.get(table, {})}
    return placed


def _with_environment(config: Config, environ: Mapping[str, str]) -> Config:
    for variable, text in environ.items():
        name = variable.removeprefix(ENV_PREFIX).lower()
        if not variable.startswith(ENV_PREFIX) or name in _ELSEWHERE or name.endswith("_api_key"):
            continue
        table, _, option = _MOVED.get(name, name).partition("_")
        if option and name not in _KINDS:
            tables = {**config.tables, table: {**config.tables.get(table, {}), option: text}}
            config = replace(config, tables=tables)
            continue
        if name not in _KINDS or name == "prices":
            known = [ENV_PREFIX + each.upper() for each in sorted(_KINDS) if each != "prices"]
            raise BadSetting(
                f"there is no setting {variable}", hint=did_you_mean(variable, known) or f"known: {', '.join(known)}"
            )
        config = replace(config, **{name: _checked(name, _parsed(name, text, variable), variable)})
    return config


def _parsed(name: str, text: str, variable: str) -> object:
    kind = str if name == "workers" and not text.isdigit() else _KINDS[name][0]
    if kind is list:
        return text.split(",")
    try:
        if kind is bool:
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.lower()]
        return kind(text)
    except (ValueError, KeyError):
        raise BadSetting(f"{variable}={text!r} is not a {kind.__name__}", hint="fix or unset it") from None


def _checked(name: str, value: object, where: str) -> Any:
    kinds = _KINDS[name]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise BadSetting(f"{where}: {name} = {value!r} is not a {kinds[0].__name__}", hint="fix that setting")
    if name == "workers" and not is_workers(value):
        raise BadSetting(f"{where}: workers = {value!r} is not {WANTED}", hint="fix that setting")
    if isinstance(value, int | float) and not 0 <= value < math.inf:
        raise BadSetting(f"{where}: {name} = {value!r} is negative or not a number", hint="fix that setting")
    if isinstance(value, list):
        if not all(isinstance(one, str) for one in value):
            raise BadSetting(f"{where}: {name} = {value!r} is not a list of texts", hint="fix that setting")
        return tuple(value)
    allowed = _CHOICES.get(name)
    if allowed and value not in allowed:
        raise BadSetting(f"{where}: {name} = {value!r}", hint=f"one of: {', '.join(map(str, allowed))}")
    return value
