"""The LanceDB table `photos`: one row a path, written by one writer, read by anybody at any time.

The table is a pure function of the ledger, so it holds nothing that cannot be made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.domain.answer_fields import Field, field_of
from indexer.storage.atomic import sync_file, sync_folder
from indexer.table.dataset import (
    DIMENSION,
    PIXELS,
    VECTORS,
    among,
    check,
    create_table,
    dataset_uri,
    open_table,
    see,
    widen,
)
from indexer.table.words import joined

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from lancedb.table import LanceTable

BATCH_ROWS = 4096
"""Rows a commit: finding the keys that are there already costs the same for one row as for thousands."""


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """One row. `path` is the key, in text form; `path_bytes` holds a path that is not UTF-8.

    `document` is the text that was embedded and `digest` names it, `words` what is searched by words only, `caption`
    the human title and caption, `people` names of persons shown. `taken_at` is local wall time, of which only the year,
    month or day counts where `taken_precision` says so; `described` is true when a model better than the
    pixel measures has answered; `vector` has length 1, None while there is nothing to embed, `pixel_vector` is what an
    image model sees in the picture. `own` holds the values
    of a person's own fields, by column (see `indexer.domain.answer_fields`).
    """

    path: str
    photo: str
    document: str = ""
    words: str = ""
    digest: str = ""
    path_bytes: bytes | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    visible_text: str = ""
    caption: str = ""
    people: tuple[str, ...] = ()
    taken_at: datetime | None = None
    taken_precision: str | None = None
    camera: str | None = None
    lens: str | None = None
    place: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    width: int | None = None
    height: int | None = None
    rating: int | None = None
    provider: str | None = None
    model: str | None = None
    prompt_version: str | None = None
    described: bool = False
    cluster: str | None = None
    offline: bool = False
    vector: np.ndarray | None = None
    pixel_vector: np.ndarray | None = None
    own: Mapping[str, Any] = field(default_factory=dict)


def to_arrow(rows: Sequence[PhotoRow], form: pa.Schema) -> pa.Table:
    """Return `rows` in the schema of a table."""
    import pyarrow as pa

    columns: list[Any] = []
    for column in form:
        if column.name == "terms":
            columns.append(pa.array([joined((row.document, row.words)) for row in rows], pa.string()))
        elif column.name in VECTORS:
            columns.append(_vector_column([getattr(row, column.name) for row in rows], column.type.list_size))
        elif field_of(column.name):
            columns.append(pa.array([row.own.get(column.name) for row in rows], column.type))
        else:
            columns.append(pa.array(list(map(attrgetter(column.name), rows)), column.type))
    return pa.table(columns, schema=form)


def _vector_column(vectors: Sequence[np.ndarray | None], dimension: int) -> pa.FixedSizeListArray:
    import numpy as np
    import pyarrow as pa

    flat = np.zeros((len(vectors), dimension), dtype=np.float32)
    missing = np.zeros(len(vectors), dtype=bool)
    for number, vector in enumerate(vectors):
        if vector is None:
            missing[number] = True
        else:
            flat[number] = vector
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), dimension, mask=pa.array(missing))


class PhotoTable:
    """The table, open for its one writer."""

    def __init__(self, database: Path, table: LanceTable) -> None:
        self._database = database
        self._lance = table
        self._synced: set[Path] = set()

    @classmethod
    def open(cls, directory: Path, *, create: bool = True, dimension: int = DIMENSION) -> PhotoTable:
        """Open the table in the database `directory` (`<library>/lancedb`), made empty where there is none.

        `dimension` is the length of the vectors in a new one.
        """
        if create and not dataset_uri(directory).exists():
            return cls(directory, create_table(directory, dimension))
        return cls(directory, open_table(directory))

    def widen(self, own: Sequence[Field]) -> None:
        """Have columns for a person's own fields, empty for the rows that stand."""
        widen(self._lance, own)

    def see(self, dimension: int, model: str = "") -> None:
        """Have the column for what an image model sees, with vectors of that length or with none (0)."""
        see(self._lance, dimension, model)

    def upsert(self, rows: Iterable[PhotoRow]) -> int:
        """Write `rows`, replacing those of the same paths, and return how many; the last of a path wins.

        Every `BATCH_ROWS` rows are one version of the table.
        """
        written = 0
        iterator = iter(rows)
        while batch := list(islice(iterator, BATCH_ROWS)):
            # Lance inserts a new key twice when one batch brings it twice.
            distinct = list({row.path: row for row in batch}.values())
            merge = self._lance.merge_insert("path").when_matched_update_all().when_not_matched_insert_all()
            merge.use_index(False).execute(to_arrow(distinct, self._lance.schema), on_bad_vectors="null")
            written += len(distinct)
        return written

    def delete(self, paths: Iterable[str]) -> None:
        """Remove the rows of `paths`; unknown paths are fine."""
        iterator = iter(paths)
        while batch := list(islice(iterator, BATCH_ROWS)):
            self._lance.delete(among("path", batch))

    def clear(self) -> None:
        """Remove all rows."""
        self._lance.delete("true")

    def vectors(self, paths: Iterable[str]) -> dict[str, np.ndarray]:
        """Return the vectors of those `paths` that have one."""
        return self._vectors("path", paths, "vector")

    def pixel_vectors(self, photos: Iterable[str]) -> dict[str, np.ndarray]:
        """Return the vectors of the pixels of those `photos` that have one."""
        return self._vectors("photo", photos, PIXELS) if PIXELS in self._lance.schema.names else {}

    def _vectors(self, key: str, values: Iterable[str], column: str) -> dict[str, np.ndarray]:
        import numpy as np

        found: dict[str, np.ndarray] = {}
        iterator = iter(values)
        while batch := list(islice(iterator, BATCH_ROWS)):
            wanted = f"{among(key, batch)} AND {column} IS NOT NULL"
            table = self._lance.search().where(wanted).select([key, column]).limit(None).to_arrow()
            if table.num_rows:
                numbers = table.column(column).combine_chunks().flatten().to_numpy()
                matrix = numbers.reshape(table.num_rows, -1).astype(np.float32)
                found.update(zip(table.column(key).to_pylist(), matrix, strict=True))
        return found

    def rows(self) -> Iterator[PhotoRow]:
        """Yield every row as it stands, without its vector and its words."""
        named = [each.name for each in fields(PhotoRow) if each.name in self._lance.schema.names]
        columns = [name for name in named if name not in VECTORS]
        own = [name for name in self._lance.schema.names if field_of(name)]
        for batch in self._lance.search().select([*columns, *own]).to_batches():
            for told in batch.to_pylist():
                values = {name: told[name] for name in columns if told[name] is not None}
                values["tags"] = tuple(told["tags"] or ())
                yield PhotoRow(**values, own={name: told[name] for name in own})

    def paths(self) -> Iterator[str]:
        """Yield the path of every row."""
        for batch in self._lance.search().select(["path"]).to_batches():
            yield from batch.column(0).to_pylist()

    def read_all(self) -> None:
        """Read every row, and look for the files of every version kept; raises `LibraryError`."""
        check(self._lance, self._database)

    def count(self) -> int:
        """Return the number of rows."""
        return int(self._lance.count_rows())

    def sync(self) -> None:
        """Make all that was written durable: Lance itself never asks the disk to."""
        for path in self._database.rglob("*"):
            if path.is_dir():
                sync_folder(path)
            elif path not in self._synced:
                sync_file(path)
                # Lance never changes a file once it is written, but for the hint at the newest version.
                if path.suffix != ".json":
                    self._synced.add(path)
        sync_folder(self._database)

    def purge(self) -> None:
        """Leave nothing of the rows that were deleted, in no older version either."""
        from indexer.table.maintenance import purge

        purge(self._lance)

    def maintain(self) -> None:
        """Compact and index what a run has written; meant for the end of a run, and cheap when there is little."""
        from indexer.table.maintenance import maintain

        maintain(self._lance, self._database)
