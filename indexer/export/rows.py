"""The library for other programs: rows as JSON lines, CSV or Parquet, words as XMP sidecars.

Everything comes from the ledger, a row at a time: neither the table nor the text model is opened.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from indexer.domain.errors import Unwritable, UsageError
from indexer.domain.keys import canonical_json
from indexer.export.sidecars import SIDECAR_NAMES, Exported, Mirror
from indexer.export.spreadsheet import cell, line
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger
from indexer.ledger.views import export_rows
from indexer.ledger.views.export_rows import Entry
from indexer.storage.atomic import whole_file
from indexer.storage.paths import for_terminal, shown, to_text

_BATCH = 4096
_TOLD = 256
_MARK = b"\xef\xbb\xbf"
_FIRST_MOMENT = "0000-01-01T00:00:00"


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One row. `description`, `tags`, `visible_text` and `fields` are the best answer's, which the last ones tell of.

    `inherited` says that it describes another photo of the burst, `corrected` that a person has changed it. `caption`
    (with the title) and `keywords` are those of the file, `people` the names of persons shown. `taken_at` is local wall
    time, no more exactly than is known,
    `answered_at` is UTC, both in ISO 8601.
    """

    path: str
    photo: str
    description: str | None
    tags: tuple[str, ...]
    visible_text: str | None
    fields: Mapping[str, Any]
    caption: str | None
    keywords: tuple[str, ...]
    people: tuple[str, ...]
    taken_at: str | None
    camera: str | None
    lens: str | None
    place: str | None
    latitude: float | None
    longitude: float | None
    rating: int | None
    width: int
    height: int
    provider: str | None
    model: str | None
    prompt_version: str | None
    answered_at: str | None
    inherited: bool
    corrected: bool


COLUMNS = tuple(field.name for field in fields(ExportRow))


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How an export is written: `names` of sidecars (see `Mirror`), `bom` a mark before CSV that spreadsheets want."""

    names: str = ""
    bom: bool = False


def export(
    ledger: Ledger,
    kind: str,
    target: bytes,
    scope: Scope,
    options: ExportOptions = ExportOptions(),
    progress: Callable[[int], None] = lambda _: None,
) -> Exported:
    """Write the photos of `scope` to `target`, for xmp a folder, else a new file; `progress` gets a running number.

    Raises `UsageError` for an unknown kind or a target that is in the way, `Unwritable` where the disk refuses.
    """
    if kind not in ("xmp", *_WRITERS):
        raise UsageError(f"nothing is exported as {kind!r}", hint=f"one of: {', '.join((*_WRITERS, 'xmp'))}")
    if options.names and kind != "xmp":
        raise UsageError("--sidecar-names is for sidecars only", hint="add --format xmp, or leave out --sidecar-names")
    if options.names not in ("", *SIDECAR_NAMES):
        raise UsageError(f"sidecars of {options.names!r} are not known", hint=f"one of: {', '.join(SIDECAR_NAMES)}")
    if options.bom and kind != "csv":
        raise UsageError("only CSV can begin with a byte order mark", hint="add --format csv, or leave --bom out")
    entries = _counted(export_rows.entries(ledger, scope), progress)
    path = Path(os.fsdecode(target))
    try:
        if kind == "xmp":
            done = Mirror(ledger, path, options.names).write(entries)
        else:
            _refuse_existing(path)
            with whole_file(path, fresh=True) as stream:
                stream.write(_MARK if options.bom else b"")
                count = _WRITERS[kind](stream, map(_row, entries))
            done = Exported(count, count)
    except OSError as fault:
        hint = "make room, or choose another place"
        raise Unwritable(f"{shown(target)} cannot be written: {fault.strerror}", hint=hint) from fault
    offline = export_rows.count_offline(ledger, scope)
    if offline:
        return done.with_note(f"photos left out because their drive is not there: {offline:,}")
    return done if done.photos or done.kept or done.notes else done.with_note("no indexed photo lies there")


def _counted(entries: Iterator[Entry], progress: Callable[[int], None]) -> Iterator[Entry]:
    for number, entry in enumerate(entries, 1):
        yield entry
        if number % _TOLD == 0:
            progress(number)


def _refuse_existing(path: Path) -> None:
    """Nothing is replaced: a photo or a ledger named by mistake is not to be lost, nor is an export of last year."""
    name = shown(path)
    if os.path.lexists(path):
        what = "is a folder" if path.is_dir() else "exists, and nothing is replaced"
        raise UsageError(f"{name} {what}", hint="name a new file, or move that one away")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder for {name}", hint="make it first, or name a file elsewhere")


def _row(entry: Entry) -> ExportRow:
    answer, facts = entry.answer, entry.facts
    return ExportRow(
        path=to_text(entry.path),
        photo=entry.photo,
        description=answer.description if answer else None,
        tags=answer.tags if answer else (),
        visible_text=answer.visible_text if answer else None,
        fields=answer.fields if answer else {},
        caption=". ".join(part for part in (facts.title, facts.caption) if part) or None,
        keywords=facts.keywords,
        people=facts.people,
        taken_at=facts.taken or None,
        camera=facts.camera,
        lens=facts.lens,
        place=facts.place,
        latitude=facts.latitude,
        longitude=facts.longitude,
        rating=facts.rating,
        width=entry.width,
        height=entry.height,
        provider=entry.provider,
        model=answer.model if answer else None,
        prompt_version=entry.prompt_version,
        answered_at=_moment(entry.answered_at),
        inherited=entry.inherited,
        corrected=entry.corrected,
    )


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(round(seconds), datetime.UTC).isoformat().replace("+00:00", "Z")


def _write_jsonl(stream: BinaryIO, rows: Iterator[ExportRow]) -> int:
    """In ASCII, so that no character means anything to a terminal."""
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - it is the result
        stream.write(json.dumps(asdict(row)).encode() + b"\n")
    return count


def _write_csv(stream: BinaryIO, rows: Iterator[ExportRow]) -> int:
    count = 0
    stream.write(line(COLUMNS))
    for count, row in enumerate(rows, 1):  # noqa: B007 - it is the result
        _, *values = _flat(row, joined=_as_json).values()
        stream.write(line([for_terminal(row.path), *map(cell, values)]))  # two spaces in a name stay two
    return count


def _write_parquet(stream: BinaryIO, rows: Iterator[ExportRow]) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    words, texts, number = pa.string(), pa.list_(pa.string()), pa.float64()
    kinds = {"tags": texts, "keywords": texts, "people": texts, "latitude": number, "longitude": number}
    kinds |= dict.fromkeys(("rating", "width", "height"), pa.int32())
    kinds |= {"inherited": pa.bool_(), "corrected": pa.bool_()}
    kinds |= {"taken_at": pa.timestamp("s"), "answered_at": pa.timestamp("s", tz="UTC")}
    schema = pa.schema([(name, kinds.get(name, words)) for name in COLUMNS])
    count = 0
    with parquet.ParquetWriter(stream, schema) as writer:
        while batch := [_typed(row) for row in islice(rows, _BATCH)]:
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            count += len(batch)
    return count


def _typed(row: ExportRow) -> dict[str, Any]:
    moments = {name: getattr(row, name) for name in ("taken_at", "answered_at")}
    parsed = {name: _parsed(text) if text else None for name, text in moments.items()}
    return _flat(row, joined=list) | parsed


def _as_json(texts: tuple[str, ...]) -> str:
    """Return a list as JSON, so that it can be split again whatever its texts hold; nothing for an empty one."""
    return json.dumps(list(texts), ensure_ascii=False) if texts else ""


def _parsed(moment: str) -> datetime.datetime:
    """Return the first moment of what may be only a day, a month or a year."""
    return datetime.datetime.fromisoformat(moment + _FIRST_MOMENT[len(moment) :])


def _flat(row: ExportRow, joined: Callable[[tuple[str, ...]], Any]) -> dict[str, Any]:
    """Return a row for a table: further fields as JSON, lists as `joined` makes them."""
    extra = canonical_json(dict(row.fields)) if row.fields else None
    lists = {name: joined(getattr(row, name)) for name in ("tags", "keywords", "people")}
    return asdict(row) | lists | {"fields": extra}


_WRITERS: dict[str, Callable[[BinaryIO, Iterator[ExportRow]], int]] = {
    "jsonl": _write_jsonl,
    "csv": _write_csv,
    "parquet": _write_parquet,
}
