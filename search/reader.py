"""Reads the table for search: the two legs that propose rows, what ranking needs of them, and what is shown.

A reader looks for a newer version at the start of every search; searches under way keep the one they started on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from indexer.domain.answer_fields import Field, field_of
from indexer.table.dataset import PIXELS, SEEN_BY, VECTORS, among, open_dataset, unreadable
from search.dates import When
from search.probes import Probe, matrix_of, nearness
from search.ranking import Candidate, Statistics
from search.sorting import NEWEST, Sorting

if TYPE_CHECKING:
    import lance
    import numpy as np
    import pyarrow as pa

Told = TypeVar("Told")
_SAMPLE = 500
_SAMPLE_WHOLE = 1500
"""A table of at most so many rows is its own sample."""
_DRIFT = 0.05
"""A sample serves until the table has grown or shrunk by this share."""
_PROBES = 96
"""Parts of the vector index that are looked at; a million rows have 500. Half as many miss a hit in fifty."""
_FETCHED = 2000
_SHOWN = (
    *("path", "photo", "cluster", "description", "tags", "taken_at", "camera", "place", "width", "height"),
    "offline",
)
_NEWER = ("taken_precision",)
"""What is shown where the table has it: libraries of earlier versions get these columns with the next run."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a look at some rows tells about the table; `centre` is the mean vector, None where there is none."""

    statistics: Statistics
    centre: np.ndarray | None
    seen: np.ndarray | None = None
    """What an image model has seen in some of the photos, None where there is none."""
    sight: bytes = b""
    """Which model that was."""
    version: int = 0
    """The version of the table that was looked at."""

    def fits(self, view: View, rows: int) -> bool:
        """Whether it still tells about a table of so many rows: an image model may have come or gone meanwhile."""
        return not _drifted(self.statistics, rows) and (self.sight == view.sight or self.version == view.version)


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a row."""

    row: int
    path: str
    photo: str
    cluster: str | None
    description: str | None
    tags: tuple[str, ...]
    taken_at: datetime | None
    taken_precision: str | None
    camera: str | None
    place: str | None
    width: int | None
    height: int | None
    offline: bool
    own: Mapping[str, Any]
    """Values of a person's own fields that there are, by column."""


class Reader:
    """The newest version of the table, shared by all threads."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._place = _place(database)
        self._dataset = open_dataset(database)
        self._sample: Sample | None = None
        self._told: dict[str, tuple[int, object]] = {}
        self._orders: dict[Sorting, list[int]] = {}

    def is_replaced(self) -> bool:
        """Say whether another table stands where this one was opened: a rebuild has put it there."""
        return _place(self._database) != self._place

    def view(self) -> View:
        """Return the table as it stands now."""
        import lance

        with self._lock, _readable(self._database):
            if self._dataset.latest_version != self._dataset.version:
                session = self._dataset.session()
                self._dataset = lance.dataset(str(self._dataset.uri), session=session)
                self._orders = {}
            return View(self._database, self._dataset, self._orders)

    @property
    def has_sample(self) -> bool:
        """Whether a sample was taken, which may have to be taken anew."""
        return self._sample is not None

    def sample(self, view: View) -> Sample:
        """Return a sample that still fits the table."""
        rows = view.count()
        with self._lock:
            sample = self._sample
        if sample is None or not sample.fits(view, rows):
            sample = view.sample(rows)
            with self._lock:
                self._sample = sample
        return sample

    def people(self, view: View) -> list[str]:
        """Return the names of the people in the table."""
        return self._of_version("people", view.version, view.people)

    def cameras(self, view: View) -> list[str]:
        """Return the names of the cameras in the table."""
        return self._of_version("cameras", view.version, view.cameras)

    def months(self, view: View) -> dict[str, int]:
        """Return how many rows were taken in each month, the newest first."""
        return self._of_version("months", view.version, view.months)

    def _of_version(self, name: str, version: int, read: Callable[[], Told]) -> Told:
        """Return what `read` tells of this version of the table; kept until there is another one."""
        with self._lock:
            known, told = self._told.get(name, (-1, None))
        if known != version:
            told = read()
            with self._lock:
                self._told[name] = (version, told)
        return cast("Told", told)


class View:
    """One version of the table; its views share `orders`, in which all its rows were listed."""

    def __init__(self, database: Path, dataset: lance.LanceDataset, orders: dict[Sorting, list[int]]) -> None:
        self._database = database
        self._dataset = dataset
        self._orders = orders

    @property
    def version(self) -> int:
        """The number of the version."""
        return int(self._dataset.version)

    @cached_property
    def _columns(self) -> list[str]:
        return list(self._dataset.schema.names)

    @property
    def own(self) -> list[Field]:
        """The fields of people's own schemas that the table has columns for."""
        return [field for name in self._columns if (field := field_of(name))]

    def count(self, where: str | None = None) -> int:
        """Return the number of rows, of those that `where` is true of."""
        with _readable(self._database):
            return int(self._dataset.count_rows(filter=where))

    def by_words(self, terms: Sequence[str], where: str | None, limit: int, without: Sequence[str] = ()) -> list[int]:
        """Return the rows that hold any of `terms` and none of `without`, best first by BM25."""
        from lance.query import BooleanQuery, MatchQuery, Occur

        query: Any = MatchQuery(" ".join(terms), "terms")
        if without:
            # One part a term: a part of several terms inside takes four times as long and scores the same.
            parts = [(Occur.SHOULD, MatchQuery(term, "terms")) for term in terms]
            query = BooleanQuery(parts + [(Occur.MUST_NOT, MatchQuery(term, "terms")) for term in without])
        table = self._scan(columns=["_score"], filter=where, limit=limit, full_text_query=query)
        return [int(row) for row in table.column("_rowid").to_pylist()]

    def by_all_words(self, terms: Sequence[str], where: str | None, limit: int) -> list[int]:
        """Return the rows that hold every one of `terms`, best first by BM25."""
        from lance.query import FullTextOperator, MatchQuery

        query = MatchQuery(" ".join(dict.fromkeys(terms)), "terms", operator=FullTextOperator.AND)
        table = self._scan(columns=["_score"], filter=where, limit=limit, full_text_query=query)
        return [int(row) for row in table.column("_rowid").to_pylist()]

    def by_pairs(self, pairs: Iterable[Sequence[str]], where: str | None, limit: int) -> list[int]:
        """Return rows that hold both terms of any of `pairs`, or all of them where there are more than two."""
        from lance.query import BooleanQuery, FullTextOperator, MatchQuery, Occur

        both = [MatchQuery(" ".join(pair), "terms", operator=FullTextOperator.AND) for pair in pairs]
        query = BooleanQuery([(Occur.SHOULD, part) for part in both])
        table = self._scan(columns=["_score"], filter=where, limit=limit, full_text_query=query)
        return [int(row) for row in table.column("_rowid").to_pylist()]

    def by_likeness(self, term: str, faults: int, limit: int) -> list[int]:
        """Return rows that hold a term which differs from `term` in at most so many letters, never in the first."""
        from lance.query import MatchQuery

        query = MatchQuery(term, "terms", fuzziness=faults, prefix_length=1, max_expansions=200)
        table = self._scan(columns=["_score"], limit=limit, full_text_query=query)
        return [int(row) for row in table.column("_rowid").to_pylist()]

    def by_meaning(self, probe: Probe, where: str | None, limit: int) -> list[int]:
        """Return the rows whose vectors are nearest to that of `probe`; the order is approximate."""
        # Not refined: ranking computes exact cosines for all it is given, and asks for many more than it shows.
        nearest = {"column": probe.column, "q": probe.vector, "k": limit, "metric": "cosine", "nprobes": _PROBES}
        table = self._scan(columns=["_distance"], filter=where, nearest=nearest)
        return [int(row) for row in table.column("_rowid").to_pylist()]

    def candidates(
        self, rows: Iterable[int], probes: Sequence[Probe] = (), when: When | None = None
    ) -> list[Candidate]:
        """Return what ranking needs of `rows`; with `probes`, the exact cosine of each row that has a vector for one.

        `when` is the date that a query says.
        """
        found: list[Candidate] = []
        columns = ["terms", *(probe.column for probe in probes), *(["taken_at"] if when else [])]
        for keys, table in self._take(rows, columns):
            near = nearness([(probe, *matrix_of(table.column(probe.column))) for probe in probes], len(keys))
            timely = map(when.holds, table.column("taken_at").to_pylist()) if when else repeat(False)
            found += map(Candidate, keys, table.column("terms").to_pylist(), near.cosines, timely, near.seen)
        return found

    def shown(self, rows: Iterable[int]) -> list[Shown]:
        """Return what is shown of `rows`, in their order."""
        found: list[Shown] = []
        own = [field.column for field in self.own]
        newer = [name for name in _NEWER if self.has(name)]
        for keys, table in self._take(rows, [*_SHOWN, *newer, *own]):
            found += (_shown(key, record, own) for key, record in zip(keys, table.to_pylist(), strict=True))
        return found

    def listing(self, where: str | None, sorting: Sorting = NEWEST) -> list[int]:
        """Return the rows that `where` is true of, sorted: newest first if nothing else is said."""
        if where is None and sorting in self._orders:
            return self._orders[sorting]
        table = self._scan(columns=["path", *(name for name, _ in sorting.keys)], filter=where)
        rows: list[int] = table.column("_rowid").take(sorting.indices(table)).to_pylist()
        if where is None:
            self._orders[sorting] = rows
        return rows

    def distinct(self, column: str, where: str | None) -> int:
        """Return how many values of `column` the rows have that `where` is true of."""
        return len(self._scan(columns=[column], filter=where).column(column).unique())

    def sharing(self, column: str, values: Sequence[str]) -> dict[str, list[str]]:
        """Return the paths, in order, of all rows whose `column` is one of `values`."""
        paths: dict[str, list[str]] = {value: [] for value in values}
        for some in _portions(values):
            table = self._scan(columns=["path", column], filter=among(column, some))
            keys, found = table.column(column).to_pylist(), table.column("path").to_pylist()
            for value, path in zip(keys, found, strict=True):
                paths[value].append(path)
        return {value: sorted(found) for value, found in paths.items()}

    def vector(self, where: str, column: str = "vector") -> tuple[str, np.ndarray | None] | None:
        """Return photo and vector of a row that `where` is true of, None when there is none."""
        table = self._scan(columns=["photo", column], filter=where, limit=1)
        if not table.num_rows:
            return None
        matrix, there = matrix_of(table.column(column))
        return table.column("photo")[0].as_py(), matrix[0] if there[0] else None

    def has(self, column: str) -> bool:
        """Say whether the table has a column: those of earlier versions lack some."""
        return column in self._columns

    @cached_property
    def sight(self) -> bytes:
        """Which image model has looked and how long its vectors are, b"" where none has."""
        if not self.has(PIXELS):
            return b""
        column = self._dataset.schema.field(PIXELS)
        return b"%d %b" % (column.type.list_size, (column.metadata or {}).get(SEEN_BY.encode(), b""))

    def people(self) -> list[str]:
        """Return the distinct names of people."""
        if not self.has("people"):
            return []
        names = self._scan(columns=["people"]).column("people").combine_chunks().flatten().unique()
        return [name for name in names.to_pylist() if name]

    def cameras(self) -> list[str]:
        """Return the distinct names of cameras."""
        names = self._scan(columns=["camera"]).column("camera").unique().to_pylist()
        return [name for name in names if name]

    def months(self) -> dict[str, int]:
        """Return how many rows were taken in each month, "2016-08", the newest month first."""
        import pyarrow.compute as pc

        dates = self._scan(columns=["taken_at"]).column("taken_at").drop_null()
        numbers = pc.add(pc.multiply(pc.year(dates), 100), pc.month(dates))
        counted = {one["values"]: one["counts"] for one in pc.value_counts(numbers).to_pylist()}
        return {f"{number // 100:04}-{number % 100:02}": counted[number] for number in sorted(counted, reverse=True)}

    def sample(self, rows: int) -> Sample:
        """Look at rows spread evenly over the table, at all of a small one."""
        import numpy as np

        spread = rows if rows <= _SAMPLE_WHOLE else _SAMPLE
        indices = [int(index) for index in np.linspace(0, max(0, rows - 1), spread).round()]
        with _readable(self._database):
            table = self._dataset.take(indices, columns=["terms", *filter(self.has, VECTORS)])
        matrix, there = matrix_of(table.column("vector"))
        known, seen = there, None
        if self.has(PIXELS):
            pixels, has = matrix_of(table.column(PIXELS))
            known, seen = there | has, pixels[has] if has.any() else None
        share = known.mean() if len(known) else 0.0
        statistics = Statistics.of(table.column("terms").to_pylist(), rows=rows, vectors=round(rows * share))
        centre = matrix[there].mean(axis=0) if there.any() else None
        return Sample(statistics, centre, seen, self.sight if seen is not None else b"", self.version)

    def to_arrow(self, columns: Sequence[str] | None) -> pa.Table:
        """Return the table, or some of its columns."""
        with _readable(self._database):
            return self._dataset.to_table(columns=list(columns) if columns is not None else None)

    def _take(self, rows: Iterable[int], columns: list[str]) -> Iterator[tuple[list[int], pa.Table]]:
        """The rows in their order, some at a time; they must be of this version.

        The public `take` wants positions, and a filter on `_rowid` costs twice the time of this.
        """
        for some in _portions(rows):
            with _readable(self._database):
                table = self._dataset._take_rows(some, columns=columns)
            yield some, table

    def _scan(self, **options: Any) -> pa.Table:
        with _readable(self._database):
            return self._dataset.scanner(with_row_id=True, prefilter=True, **options).to_table()


def _place(database: Path) -> tuple[int, int] | None:
    """What tells one folder from another that has its name."""
    try:
        found = database.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _readable(database: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        raise unreadable(database, error) from error


def _drifted(statistics: Statistics, rows: int) -> bool:
    if rows <= _SAMPLE_WHOLE:
        return rows != statistics.rows
    return abs(rows - statistics.rows) > _DRIFT * statistics.rows


def _portions(values: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(values)
    while some := list(islice(iterator, _FETCHED)):
        yield some


def _shown(row: int, record: dict[str, Any], own: Sequence[str]) -> Shown:
    values: dict[str, Any] = {name: record.get(name) for name in (*_SHOWN, *_NEWER) if name != "tags"}
    told = {name: record[name] for name in own if record[name] is not None}
    return Shown(row=row, tags=tuple(record["tags"] or ()), own=told, **values)
