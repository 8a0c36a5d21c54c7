"""`Index`: a library open for search, as programs and the command line use it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from indexer.domain.errors import LibraryError, UsageError
from indexer.storage.layout import BATCHES_FOLDER, ENCODER_FOLDER, IMAGE_ENCODER_FOLDER, TABLE_FOLDER, default_folder
from indexer.table.dataset import PIXELS, among, open_table
from indexer.table.encoder.load import open_encoder
from indexer.table.encoder.onnx import DEFAULT_NAME, Encoder, Manifest
from indexer.table.encoder.scale import Scale
from search.answering import answering, dated, listed, resembling
from search.elsewhere import database, encoder_home
from search.filters import Collapse, Query, Sort, matching, named
from search.hits import Answered, FoundRow, Hit, page
from search.language import Understood, understood
from search.likeness import example, pictured
from search.probes import Probe, alike, of_looks
from search.ranking import Words
from search.reader import Reader, Sample, View
from search.sieve import Sieve
from search.spelling import corrected, unknown, wanted
from search.tongue import unread

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from lancedb.table import LanceTable

    from indexer.table.encoder.image import ImageEncoder

__all__ = ["Coverage", "Hit", "Index"]
_TRIES = 5  # a rebuild may replace the table under a search, hardly ever twice


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the library is described: `rows` in all, `described` by a model."""

    rows: int
    described: int


class Index:
    """A library, open for search: offline, safe in threads, and always at the newest version of its table."""

    def __init__(self, directory: Path, place: Path | None = None) -> None:
        self._directory = directory
        self._database = place or directory / TABLE_FOLDER
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._reader: Reader | None = None
        self._encoder: Encoder | None = None
        self._image_encoder: ImageEncoder | None = None
        self._looks: tuple[Sample, Scale] | None = None
        self._background = ThreadPoolExecutor(4, thread_name_prefix="captionary-encoder")

    @classmethod
    def open(cls, directory: str | PathLike[str] | None = None) -> Index:
        """Open the library in `directory` (else CAPTIONARY_LIBRARY, else the user's); `LibraryMissing` without one."""
        folder = Path(directory or os.environ.get("CAPTIONARY_LIBRARY") or default_folder()).expanduser()
        return cls(folder, database(folder))

    def search(
        self,
        text: str = "",
        *,
        limit: int = 10,
        offset: int = 0,
        sort: Sort = "relevance",
        min_score: float | Literal["auto", "weak"] = "auto",
        tags: Sequence[str] = (),
        any_tags: Sequence[str] = (),
        no_tags: Sequence[str] = (),
        not_words: str = "",
        since: str | date | None = None,
        until: str | date | None = None,
        camera: str | None = None,
        within: str | PathLike[str] | None = None,
        near: tuple[float, float, float] | None = None,
        like: str | PathLike[str] | None = None,
        collapse: Collapse = "copies",
        where: Sequence[str] = (),
        person: str | None = None,
        rating: int | None = None,
    ) -> list[Hit]:
        """Return the photos that answer, best first.

        `text` may hold a "phrase" in quotes, -unwanted words, tag:, person:, camera: and in:. `limit` 0 means all.
        `sort` is relevance, date or a field of your own schema. `min_score` "auto" ends the list where relevance
        falls off, "weak" adds the nearest photos below that, 0 never ends it. Filters: all of `tags`,
        any of `any_tags`, none of `no_tags`, none of the words `not_words`; `since` and `until` are dates or
        `YYYY[-MM[-DD]]`, both inclusive; `camera` is part of a name, `within` a folder or file, `near` a circle
        (latitude, longitude, kilometres); `where` are conditions on fields of your own schema, such as "people>=2";
        `person` is the name, or a part of it, of somebody whom the files name; `rating` is the least number of stars.
        `like` is a picture that the library knows, any picture file where an image model is set. Raises `UsageError`
        for a search that asks nothing or cannot be meant, `LibraryError` when the library cannot be read.
        """
        return self.answer(
            Query(
                text=text,
                limit=limit,
                offset=offset,
                sort=sort,
                min_score=min_score,
                tags=tags,
                any_tags=any_tags,
                no_tags=no_tags,
                not_words=not_words,
                since=since,
                until=until,
                camera=camera,
                within=within,
                near=near,
                like=like,
                collapse=collapse,
                where=where,
                person=person,
                rating=rating,
            )
        ).hits

    def answer(self, query: Query, *, counted: bool = False, advised: bool = False) -> Answered:
        """Answer `query`, see `search`; a single word that the library does not have is corrected.

        `counted`: the hits on all pages are counted. `advised`: all words without a match are looked up, too.
        """
        asked = understood(query, date.today())
        if not (asked.text.strip() or asked.when or asked.filters or asked.like is not None):
            raise UsageError("nothing to search for", hint="give words, or a filter such as --tag or --since")
        answered = self._answered(asked, counted=counted)
        if asked.when and not asked.text and not answered.hits:
            asked = replace(asked, text=asked.when.said, when=None)  # no photo of that date: its words may mean more
            answered = self._answered(asked, counted=counted)
        single = len(wanted(asked.text)) == 1
        if asked.like is not None or not (advised or (single and not answered.good)):
            return answered
        matched = {word for hit in answered.hits for word in hit.why["words"]}
        view = self._table().view()
        meant = {word: found for word in unknown(asked.text, matched) if (found := corrected(view, word))}
        if single and meant and not answered.good:
            again = self._answered(replace(asked, text=" ".join(meant.values())), counted=counted)
            if again.good:
                return replace(again, meant=meant, corrected=True)
        return replace(answered, meant=meant)

    def _answered(self, query: Understood, *, counted: bool) -> Answered:
        text = query.text.strip()
        # The encoders load while the table opens: from a cold start each takes a good part of a second.
        asked = bool(text) and query.like is None
        vectors = [self._background.submit(way, text) for way in self._ways()] if asked else []
        for _ in range(_TRIES):
            reader = self._table()
            try:
                return self._found(reader, query, vectors, counted=counted)
            except LibraryError:
                if not reader.is_replaced():
                    raise
        return self._found(self._table(), query, vectors, counted=counted)

    def _found(
        self, reader: Reader, query: Understood, vectors: Sequence[Future[np.ndarray | None]], *, counted: bool
    ) -> Answered:
        text, filters = query.text.strip(), query.filters
        view = reader.view()
        people = named(filters.person, reader.people(view)) if filters.person is not None else ()
        filters = replace(filters, people=people, coarse=view.has("taken_precision")) if filters else filters
        cameras = matching(filters.camera, reader.cameras(view)) if filters.camera is not None else ()
        own = view.own if filters.where else ()
        sieve, said = Sieve.of(filters, cameras, own), query.when.said if query.when else ""
        then = None
        if when := query.when:
            then = Sieve.of(replace(filters, spans=when.spans, month=when.month), cameras, own)
        if vectors:
            sampled = self._sampled(reader, view)
            sieves = [sieve, then] if then else [sieve]
            worded = cache(lambda: Words.of(text, sampled().statistics, said))
            encoded = partial(self._probes, text, [vector.result for vector in vectors], sampled)
            found = answering(view, query, sieves, sampled, worded, encoded)
            answered = page(found, view, query, worded, counted=counted)
            return replace(answered, unread=sampled().centre is not None and not encoded())
        if query.like is not None:
            found = resembling(view, query, sieve, self._example(reader, view, query.like))
        elif then is not None:
            found = dated(view, query, sieve, then)
        else:
            found = listed(view, query, sieve)
        return page(found, view, query, lambda: Words.of(text, reader.sample(view).statistics, said), counted=counted)

    def hit(self, path: str) -> Hit | None:
        """Return the photo at `path`, spelled as a hit spells it, as a search shows it; None where there is none."""
        view = self._table().view()
        found = map(FoundRow, view.shown(view.listing(among("path", [path]))))
        return next(iter(page(found, view, Understood(limit=1), Words).hits), None)

    def months(self) -> dict[str, int]:
        """Return how many files were taken in each month, such as {"2016-08": 12}, the newest month first."""
        reader = self._table()
        return reader.months(reader.view())

    def people(self) -> list[str]:
        """Return the names of all people whom files name."""
        reader = self._table()
        return reader.people(reader.view())

    def coverage(self) -> Coverage:
        """Return how much of the library is described."""
        view = self._table().view()
        return Coverage(view.count(), view.count("described"))

    def expects_more(self) -> bool:
        """Whether batches are out, whose answers will describe more photos."""
        return next((self._directory / BATCHES_FOLDER).glob("*.jsonl"), None) is not None

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the table of photos, or some of its columns."""
        return self._table().view().to_arrow(columns)

    @property
    def table(self) -> LanceTable:
        """The table `photos` as LanceDB's own client opens it, for whatever a search cannot do."""
        return open_table(self._database)

    def embed(self, text: str) -> list[float]:
        """Return the vector that `text` is searched with, of length 1; `LibraryError` where nothing is embedded."""
        encoder = self._loaded()
        if encoder is None:
            raise LibraryError("nothing is embedded in this library yet", hint="index photos first: index ~/Photos")
        return [float(value) for value in encoder.encode([text])[0]]

    def close(self) -> None:
        """End the background threads and let the table go; the index can be used again."""
        with self._opening:
            self._reader = None

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _table(self) -> Reader:
        with self._opening:
            if self._reader is None or self._reader.is_replaced():
                self._reader = Reader(self._database)
            return self._reader

    def _ways(self) -> list[Callable[[str], np.ndarray | None]]:
        """The ways in which a text becomes a vector; where no image model is set, the second is not gone."""
        pictured = (self._directory / IMAGE_ENCODER_FOLDER).is_dir()
        return [self._encode, self._imagine] if pictured else [self._encode]

    def _sampled(self, reader: Reader, view: View) -> Callable[[], Sample]:
        """What waits for a sample: it is taken beside everything else, unless there is one, which takes no time."""
        if reader.has_sample:
            return cache(partial(reader.sample, view))
        return self._background.submit(reader.sample, view).result

    def _encode(self, text: str) -> np.ndarray | None:
        """The vector of `text`, None where nothing is embedded yet, or where the encoder cannot read it."""
        encoder = self._loaded()
        return encoder.encode([text])[0] if encoder is not None and encoder.reads(text) else None

    def _imagine(self, text: str) -> np.ndarray | None:
        """The vector by which `text` is looked for in pictures, None where no image model is set."""
        encoder = self._looking()
        return encoder.texts([text])[0] if encoder is not None else None

    def _probes(
        self, text: str, encoded: Sequence[Callable[[], np.ndarray | None]], sampled: Callable[[], Sample]
    ) -> list[Probe]:
        """What `text` is compared with; nothing where it is in a language that the default encoder does not know."""
        said, imagined = (*(vector() for vector in encoded), None)[:2]
        sample, found = sampled(), list[Probe]()
        english = self._encoder is not None and self._encoder.name == DEFAULT_NAME
        if (self._encoder is not None and said is None) or (english and unread(text, sample.statistics)):
            return found
        if self._encoder is not None and said is not None and sample.centre is not None:
            found.append(Probe(said, scale=self._encoder.scale))
        seen = sample.seen
        if self._image_encoder is None or imagined is None or seen is None:
            return found
        if seen.shape[1] == len(imagined):  # else another model is about to take its place
            found.append(Probe(imagined, PIXELS, self._scale(self._image_encoder, sample, seen)))
        return found

    def _scale(self, encoder: ImageEncoder, sample: Sample, seen: np.ndarray) -> Scale:
        """The scale of what is seen; it is that of a sample, which serves many searches."""
        known = self._looks
        if known is None or known[0] is not sample:
            self._looks = known = sample, of_looks(encoder.neutral(), seen)
        return known[1]

    def _example(self, reader: Reader, view: View, image: str | PathLike[str]) -> tuple[str, Probe]:
        """Photo and vector of a picture: of what it shows where an image model has looked, else of what is said."""
        seen = reader.sample(view).seen if view.has(PIXELS) else None
        encoder = self._looking() if seen is not None else None
        if seen is None or encoder is None:
            photo, vector = example(view, self._directory, image)
            manifest = Manifest.read(self._directory / ENCODER_FOLDER)
            return photo, Probe(vector, scale=manifest.scale) if manifest is not None else Probe(vector)
        photo, vector = pictured(view, self._directory, image, encoder)
        return photo, alike(vector, seen)

    def _looking(self) -> ImageEncoder | None:
        directory = self._directory / IMAGE_ENCODER_FOLDER
        with self._lock:
            manifest = Manifest.read(directory)
            if manifest is not None and (self._image_encoder is None or not self._image_encoder.is_of(manifest)):
                from indexer.table.encoder.image import ImageEncoder

                self._image_encoder = ImageEncoder.open(directory)
            return self._image_encoder

    def _loaded(self) -> Encoder | None:
        directory = encoder_home(self._directory, self._database)
        with self._lock:
            if self._encoder is None and Manifest.read(directory) is not None:
                self._encoder = open_encoder(directory)
            return self._encoder
