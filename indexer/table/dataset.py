"""The table `photos`: its schema, and the two ways to it.

Whoever writes, and every program, goes through LanceDB's own client (`open_table`), so that any address that LanceDB
takes can hold the table. A search reads the same files through pylance, the engine below (`open_dataset`): importing
it takes a quarter of the time, and a search is a process that lives for a moment.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.domain.answer_fields import Field, FieldKind
from indexer.domain.errors import LibraryError, LibraryMissing, LibraryUnwritable, first_line
from indexer.table.encoder.numpy_import import import_numpy

if TYPE_CHECKING:
    import lance
    import pyarrow as pa
    from lancedb.db import DBConnection
    from lancedb.table import LanceTable

TABLE = "photos"
DIMENSION = 384
"""The length of the default encoder's vectors."""
PIXELS = "pixel_vector"
VECTORS = ("vector", PIXELS)
"""The columns of vectors: what is said of a photo, and what an image model sees in it, where one is set."""
SEEN_BY = "model"
"""Under this name the column of what is seen tells the image model."""
_MAKING = "making"
_INDEX_CACHE = 512 << 20
_METADATA_CACHE = 128 << 20

# Lance warns on stderr about queries that are meant as they are; it reads these once, when it is imported.
os.environ.setdefault("LANCE_LOG", "error")
os.environ.setdefault("LANCEDB_LOG", "error")


def dataset_uri(database: Path) -> Path:
    """Return where the table lies in the database directory `<library>/lancedb`."""
    return database / f"{TABLE}.lance"


def unreadable(database: Path, fault: Exception) -> LibraryError:
    """Return the error of a table that cannot be read."""
    hint = "`index rebuild` makes it again from the ledger"
    return LibraryError(f"the table in {database} cannot be read: {first_line(fault)}", hint=hint)


def open_dataset(database: Path) -> lance.LanceDataset:
    """Open the newest version of the table; raises `LibraryMissing` or `LibraryError`."""
    uri = dataset_uri(database)
    if not uri.is_dir():
        raise LibraryMissing(f"no photos are indexed in {database.parent}", hint="run `index PATH` first")
    import_numpy()
    import lance

    session = lance.Session(index_cache_size_bytes=_INDEX_CACHE, metadata_cache_size_bytes=_METADATA_CACHE)
    try:
        return lance.dataset(str(uri), session=session)
    except (OSError, ValueError) as error:
        raise unreadable(database, error) from error


def open_table(database: Path) -> LanceTable:
    """Open the table through LanceDB's client; raises `LibraryMissing` or `LibraryError`."""
    if not dataset_uri(database).is_dir():
        raise LibraryMissing(f"no photos are indexed in {database.parent}", hint="run `index PATH` first")
    try:
        table = connect_to(database).open_table(TABLE)
    except (OSError, ValueError, RuntimeError) as error:
        raise unreadable(database, error) from error
    index_words(table)
    return table


def check(table: LanceTable, database: Path) -> None:
    """Read every row of the newest version and the word index, and look for the files of each version that is kept."""
    dataset, data = table.to_lance(), dataset_uri(database) / "data"
    try:
        for batch in dataset.to_batches():
            batch.validate(full=True)
        dataset.scanner(full_text_query="photo", columns=["path"]).to_table()
        for version in dataset.versions():
            for fragment in dataset.checkout_version(version["version"]).get_fragments():
                missing = [each.path for each in fragment.data_files() if not (data / each.path).is_file()]
                if missing:
                    raise ValueError(f"version {version['version']} lacks {missing[0]}")
    except (OSError, ValueError, RuntimeError) as error:
        raise unreadable(database, error) from error


def create_table(database: Path, dimension: int = DIMENSION) -> LanceTable:
    """Make the empty table, with its word index: rows written later are found by words at once.

    It gets its name when it is whole: killed before that, the next run begins anew.
    """
    try:
        making = database / _MAKING
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        index_words(connect_to(making).create_table(TABLE, schema=schema(dimension)))
        dataset_uri(making).rename(dataset_uri(database))
        making.rmdir()
    except (OSError, RuntimeError) as error:
        raise LibraryUnwritable(
            f"the table cannot be made in {database}: {first_line(error)}",
            hint="the disk must be writable and allow hard links",
        ) from error
    return open_table(database)


def connect_to(place: str | Path, told: Mapping[str, str] | None = None) -> DBConnection:
    """Open a database through LanceDB's client: a folder, or an address with what its store must be `told`."""
    import_numpy()
    with _without_probe():
        import lancedb

    session = lancedb.Session(index_cache_size_bytes=_INDEX_CACHE, metadata_cache_size_bytes=_METADATA_CACHE)
    return lancedb.connect(place, session=session, storage_options=dict(told) if told else None)


@contextmanager
def _without_probe() -> Iterator[None]:
    """Keep an import from opening an Internet socket: urllib3, which LanceDB brings, tries one for IPv6."""
    import socket

    before, socket.has_ipv6 = socket.has_ipv6, False
    try:
        yield
    finally:
        socket.has_ipv6 = before


def widen(table: LanceTable, own: Sequence[Field]) -> None:
    """Add the columns that the table lacks: ours that are newer than it, and those of a person's own fields.

    It is a matter of its metadata only.
    """
    import pyarrow as pa

    kinds = {
        FieldKind.INTEGER: pa.int64(),
        FieldKind.NUMBER: pa.float64(),
        FieldKind.BOOLEAN: pa.bool_(),
        FieldKind.TEXT: pa.string(),
        FieldKind.TEXTS: pa.list_(pa.string()),
    }
    known = set(table.schema.names)
    missing = [field for field in schema() if field.name not in known]
    missing += [pa.field(field.column, kinds[field.kind]) for field in own if field.column not in known]
    if missing:
        table.add_columns(pa.schema(missing))


def see(table: LanceTable, dimension: int, model: str = "") -> None:
    """Have a column for what an image model sees, with vectors of that length; 0 takes it away.

    The column tells the `model`: vectors of one length may be those of another.
    """
    import pyarrow as pa

    there = PIXELS in table.schema.names
    if there and table.schema.field(PIXELS).type.list_size != dimension:
        table.drop_columns([PIXELS])
        table.to_lance().update_config({f"{PIXELS}_idx": "0"})  # an index of what comes is trained anew
        table.checkout_latest()
        there = False
    if dimension and not there:
        table.add_columns(pa.schema([pa.field(PIXELS, pa.list_(pa.float32(), dimension), metadata={SEEN_BY: model})]))


def index_words(table: LanceTable) -> None:
    """Make the word index over `terms` where there is none yet.

    The words are already normalised: the index must change nothing about them.
    """
    if any(index.columns == ["terms"] for index in table.list_indices()):
        return
    table.create_fts_index(
        "terms",
        base_tokenizer="whitespace",
        lower_case=False,
        stem=False,
        remove_stop_words=False,
        ascii_folding=False,
        with_position=False,
        max_token_length=None,
    )


def quoted(text: str) -> str:
    """Return `text` as a literal of the filter language, whatever it holds; halves of surrogates match nothing."""
    text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return "'" + text.replace("'", "''") + "'"


def among(column: str, values: Sequence[str]) -> str:
    """Return the filter that `column` is one of `values`."""
    return f"{column} IN ({', '.join(map(quoted, values))})" if values else "false"


def schema(dimension: int = DIMENSION) -> pa.Schema:
    """Return the Arrow schema of the table, for vectors of that length.

    `terms` is what word search reads: the normalised words of everything said about the photo, with a space around
    each.
    """
    import pyarrow as pa

    key = {b"lance-schema:unenforced-primary-key": b"true"}
    text, number = pa.string(), pa.float64()
    return pa.schema(
        [
            pa.field("path", text, nullable=False, metadata=key),
            pa.field("path_bytes", pa.binary()),
            pa.field("photo", text),
            pa.field("description", text),
            pa.field("tags", pa.list_(text)),
            pa.field("visible_text", text),
            pa.field("caption", text),
            pa.field("terms", text),
            pa.field("digest", text),
            pa.field("people", pa.list_(text)),
            pa.field("taken_at", pa.timestamp("us")),
            pa.field("taken_precision", text),
            pa.field("camera", text),
            pa.field("lens", text),
            pa.field("place", text),
            pa.field("latitude", number),
            pa.field("longitude", number),
            pa.field("width", pa.int32()),
            pa.field("height", pa.int32()),
            pa.field("rating", pa.int32()),
            pa.field("provider", text),
            pa.field("model", text),
            pa.field("prompt_version", text),
            pa.field("described", pa.bool_()),
            pa.field("cluster", text),
            pa.field("offline", pa.bool_()),
            pa.field("vector", pa.list_(pa.float32(), dimension)),
        ]
    )
