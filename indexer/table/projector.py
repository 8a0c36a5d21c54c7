"""Facts + best answer -> document, vector, row -> table; the table's only writer.

The table is a pure function of the ledger. A dirty path is composed, embedded only when its document is new, put into
the table and synced to disk; then its mark is cleared. Killed in between, the same paths are composed again.
"""

from __future__ import annotations

import datetime
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.domain.answer import Answer
from indexer.domain.answer_fields import Field, values
from indexer.domain.correction import Correction, corrected
from indexer.domain.errors import CaptionaryError
from indexer.domain.tags import Tagging
from indexer.ledger.photos import dirty_rows
from indexer.ledger.photos.dirty_rows import Source
from indexer.ledger.store import Ledger
from indexer.ledger.views import counts, prompts, tags
from indexer.ledger.work import answers, corrections
from indexer.ledger.work.answers import BestAnswer
from indexer.providers.spec import Rank
from indexer.storage.atomic import put_in_place
from indexer.storage.layout import ENCODER_FOLDER, TABLE_FOLDER
from indexer.storage.paths import kept_bytes, to_text
from indexer.table.dataset import DIMENSION
from indexer.table.document import DOCUMENT_VERSION, Document, compose
from indexer.table.encoder.load import ensure_encoder
from indexer.table.encoder.onnx import DEFAULT_NAME, Manifest
from indexer.table.published import Published
from indexer.table.sight import Sight

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from indexer.table.encoder.onnx import Encoder
    from indexer.table.photo_table import PhotoRow, PhotoTable

    _Vector = NDArray[np.float32] | None

Cluster = Callable[[], AbstractContextManager[Any]]
"""What joins a Ray cluster."""
_BATCH = 4096
_SEEN_BATCH = 512
"""Rows a step where pictures are looked at, which takes longer than all the rest."""
_REBUILDING = "rebuilding"  # a setting of the ledger, while the table is made again
_PUBLISHED = "published"  # a setting of the ledger: the address at which the copy is whole
_COMPOSED = "composed"  # another one: the version of the documents in the table


@dataclass(frozen=True, slots=True)
class _Composed:
    source: Source
    photo: str
    document: Document
    answer: Answer | None
    best: BestAnswer | None
    rank: int


@dataclass(frozen=True, slots=True)
class Embedding:
    """How texts get their vectors.

    `encoders` is a folder shared by the libraries of this machine, None keeps the encoder to this library. `text_model`
    is an encoder of a person's choice, `cluster` joins the Ray cluster that embeds many documents.
    """

    encoders: Path | None = None
    text_model: str | None = None
    cluster: Cluster | None = None


class Projector:
    """Writes dirty rows into the table of the library in `folder`; table and encoder are opened when first needed.

    `embedding` says how texts get their vectors, `sight` sees the pictures, `uri` is where a copy of the table is kept
    level.
    """

    def __init__(
        self,
        ledger: Ledger,
        folder: Path,
        embedding: Embedding,
        sight: Sight | None = None,
        uri: str = "",
    ) -> None:
        self._ledger = ledger
        self._folder = folder
        self._encoders, self._text_model = embedding.encoders, embedding.text_model
        self._sight = sight or Sight(folder, None, lambda _: ())
        self._opened: PhotoTable | None = None
        self._replaced: PhotoTable | None = None
        self._loaded: Encoder | None = None
        self._published = Published(uri, ledger.library_id) if uri else None
        self._cluster = embedding.cluster if embedding.text_model is None else None
        self._joined, self._ray = ExitStack(), None

    def run(self, progress: Callable[[int], None] = lambda _: None) -> int:
        """Project every dirty path; returns how many. `progress` is told the running number."""
        if self._has_other_encoder():
            self._start_over()
        if self._sight.is_changed():
            self._look_anew()
        if self._ledger.setting(_REBUILDING) or self._is_older():
            self.rebuild()
        return self._project_all(progress)

    def _project_all(self, progress: Callable[[int], None] = lambda _: None) -> int:
        done, self._ray = 0, None
        most = _SEEN_BATCH if self._sight.dimension else _BATCH
        with self._joined:
            while batch := dirty_rows.dirty(self._ledger, most):
                self._project(batch)
                done += len(batch)
                progress(done)
        return done

    def finish(self) -> None:
        """At the end of a run: project what is left, make the table whole, compact and index what was written."""
        self.run()
        if self._opened is None and self._table_stands() and self._is_published():
            return
        if self._table().count() != counts.count_rows(self._ledger):
            self.rebuild()
        self._table().maintain()
        self._table().sync()
        self._publish()

    def _is_published(self) -> bool:
        """Whether the copy elsewhere is one of this table, as far as the ledger knows."""
        return self._published is None or self._ledger.setting(_PUBLISHED) == self._published.uri

    def _publish(self) -> None:
        """Bring the copy level: it has every row that was written since it was last whole, or it is made anew."""
        if self._published is None:
            return
        if not self._is_published() or self._published.count() != self._table().count():
            self._published.replace(self._folder / TABLE_FOLDER)
            with self._ledger.transaction("published", uncounted=True) as transaction:
                transaction.set_setting(_PUBLISHED, self._published.uri)
        self._published.maintain()

    def purge(self) -> None:
        """Leave no text of deleted rows in the files of the table."""
        if counts.count_rows(self._ledger):
            self._table().purge()
        elif (self._folder / TABLE_FOLDER).is_dir():
            self.rebuild()

    def rebuild(self) -> None:
        """Compose every row again into a table beside the old one, which it replaces in one step when it is whole.

        A rebuild that ends before that leaves the old table, and the next run begins it again.
        """
        from indexer.table.photo_table import PhotoTable

        coming = self._folder / f"{TABLE_FOLDER}.coming"
        shutil.rmtree(coming, ignore_errors=True)
        with self._ledger.transaction("rebuild begins", uncounted=True) as transaction:
            transaction.set_setting(_REBUILDING, "yes")
            transaction.set_setting(_PUBLISHED, "")
        dirty_rows.mark_all(self._ledger)
        dimension = self._encoder().dimension if self._text_model is not None else DIMENSION
        self._replaced = self._standing()
        self._opened = PhotoTable.open(coming, dimension=dimension)
        self._opened.see(self._sight.dimension, self._sight.model)
        self._project_all()
        self._opened.maintain()
        self._opened.sync()
        self._opened = self._replaced = None
        put_in_place(coming, self._folder / TABLE_FOLDER)
        with self._ledger.transaction("rebuild ends", uncounted=True) as transaction:
            transaction.set_setting(_REBUILDING, "")
            transaction.set_setting(_COMPOSED, str(DOCUMENT_VERSION))

    def rows(self) -> Iterator[PhotoRow]:
        """Yield the rows of the table as it stands; raises `LibraryMissing` where there is none."""
        from indexer.table.photo_table import PhotoTable

        self._opened = PhotoTable.open(self._folder / TABLE_FOLDER, create=False)
        return self._opened.rows()

    def _is_older(self) -> bool:
        """Whether the rows were composed by an earlier version, in another way."""
        if self._ledger.setting(_COMPOSED) == str(DOCUMENT_VERSION):
            return False
        if counts.count_rows(self._ledger):
            return True
        with self._ledger.transaction("composing begins", uncounted=True) as transaction:
            transaction.set_setting(_COMPOSED, str(DOCUMENT_VERSION))
        return False

    def _has_other_encoder(self) -> bool:
        """Whether the library was embedded by another model than is asked for now."""
        manifest = Manifest.read(self._folder / ENCODER_FOLDER)
        return manifest is not None and manifest.name != (self._text_model or DEFAULT_NAME)

    def _start_over(self) -> None:
        """Embed everything anew.

        The new encoder is made before anything is lost, and takes its place last, so that a kill begins this again.
        """
        encoder, coming = (self._folder / name for name in (ENCODER_FOLDER, f"{ENCODER_FOLDER}.coming"))
        shutil.rmtree(coming, ignore_errors=True)
        ensure_encoder(coming, cache=self._encoders, named=self._text_model)
        dirty_rows.mark_all(self._ledger)
        self._opened = self._loaded = None
        shutil.rmtree(self._folder / TABLE_FOLDER, ignore_errors=True)
        shutil.rmtree(encoder)
        coming.rename(encoder)

    def _look_anew(self) -> None:
        """Have the pictures looked at by the image model that is asked for now; the texts keep their vectors."""
        self._sight.prepare()
        with self._ledger.transaction("image model", uncounted=True) as transaction:
            transaction.set_setting(_PUBLISHED, "")
        if (self._folder / TABLE_FOLDER).is_dir():
            dirty_rows.mark_all(self._ledger, anew=False)
            self._table().see(0)
        self._sight.install()
        if self._opened is not None:
            self._opened.see(self._sight.dimension, self._sight.model)

    def _standing(self) -> PhotoTable | None:
        """The table that a rebuild replaces, which knows what was seen in pictures; None where it does not help."""
        from indexer.table.photo_table import PhotoTable

        with suppress(CaptionaryError):
            return PhotoTable.open(self._folder / TABLE_FOLDER, create=False) if self._sight.dimension else None
        return None

    def _table_stands(self) -> bool:
        """Whether the table is there at all; cheap, because opening it costs seconds of imports."""
        return counts.count_rows(self._ledger) == 0 or (self._folder / TABLE_FOLDER).is_dir()

    def _table(self) -> PhotoTable:
        if self._opened is None:
            from indexer.table.photo_table import PhotoTable

            fresh = self._text_model is not None and not (self._folder / TABLE_FOLDER).is_dir()
            dimension = self._encoder().dimension if fresh else DIMENSION
            self._opened = PhotoTable.open(self._folder / TABLE_FOLDER, dimension=dimension)
            self._opened.see(self._sight.dimension, self._sight.model)
        return self._opened

    def _encoder(self) -> Encoder:
        if self._loaded is None:
            self._loaded = ensure_encoder(self._folder / ENCODER_FOLDER, cache=self._encoders, named=self._text_model)
        return self._loaded

    def _project(self, batch: Sequence[Source]) -> None:
        tagging = tags.tagging(self._ledger)
        photos = [source.photo for source in batch if source.photo]
        told = corrections.corrections_of(self._ledger, photos)
        composed = [self._compose(one, one.photo, tagging, told.get(one.photo)) for one in batch if one.photo]
        vectors = self._vectors(composed)
        seen = self._seen({item.photo for item in composed})
        table, own = self._table(), prompts.own_fields(self._ledger)
        table.widen(own)
        rows = [_row(item, vectors.get(item.document.digest), seen.get(item.photo), own) for item in composed]
        gone = [to_text(source.path) for source in batch if not source.photo and source.row_digest]
        table.upsert(rows)
        table.delete(gone)
        table.sync()
        if self._published is not None and self._is_published():
            self._published.upsert(rows, own)
            self._published.delete(gone)
        digests: dict[bytes, str | None] = {source.path: None for source in batch}
        digests.update((item.source.path, item.document.digest) for item in composed)
        dirty_rows.clear(self._ledger, digests)

    def _compose(self, source: Source, photo: str, tagging: Tagging, correction: Correction | None) -> _Composed:
        best = answers.best_answer(self._ledger, photo)
        answer = replace(best.answer, tags=tagging.of(best.answer.tags)) if best else None
        rank = best.rank if best else 0
        measured = best is not None and rank <= Rank.PIXELS
        if correction is not None:
            answer = corrected(answer, correction, measured=measured)
            rank, measured = Rank.PERSON, False
        document = compose(to_text(source.path), source.facts, answer, measured=measured)
        return _Composed(source, photo, document, answer, best, rank)

    def _vectors(self, composed: Sequence[_Composed]) -> dict[str, NDArray[np.float32]]:
        known = (item.document for item in composed if item.document.text or item.document.guesses)
        documents = {document.digest: document for document in known}
        twins = {digest: to_text(path) for digest, path in dirty_rows.twins(self._ledger, list(documents)).items()}
        standing = self._table().vectors(list(twins.values())) if twins else {}
        vectors = {digest: standing[path] for digest, path in twins.items() if path in standing}
        fresh = [document for digest, document in documents.items() if digest not in vectors]
        if fresh:
            made = zip(fresh, self._meant(fresh), strict=True)
            vectors.update((one.digest, vector) for one, vector in made if vector is not None)
        return vectors

    def _meant(self, fresh: Sequence[Document]) -> list[NDArray[np.float32] | None]:
        from indexer.table.encoder.on_ray import MANY, vectors_of
        from indexer.table.meaning import vectors

        encoder = self._encoder()
        if self._cluster is None or len(fresh) < MANY:
            return vectors(encoder, fresh, threads=os.cpu_count() or 1)
        self._ray = self._ray or self._joined.enter_context(self._cluster())
        return vectors_of(self._ray, self._folder / ENCODER_FOLDER, encoder, fresh)

    def _seen(self, photos: Collection[str]) -> dict[str, NDArray[np.float32]]:
        """The vectors of what the image model sees in photos: those that stand, and those that can be made now."""
        if not self._sight.dimension:
            return {}
        seen: dict[str, NDArray[np.float32]] = {}
        with suppress(OSError, ValueError, RuntimeError):  # a damaged table is what a rebuild replaces
            seen = (self._replaced or self._table()).pixel_vectors(photos)
        seen.update(self._sight.vectors(photo for photo in sorted(photos) if photo not in seen))
        return seen


def _row(item: _Composed, meant: _Vector, seen: _Vector, own: Sequence[Field]) -> PhotoRow:
    """The row of a photo with its vectors, of its text and of what is seen in it."""
    from indexer.table.photo_table import PhotoRow

    source, document, facts, answer = item.source, item.document, item.source.facts, item.answer
    return PhotoRow(
        path=to_text(source.path),
        path_bytes=kept_bytes(source.path),
        photo=item.photo,
        description=document.description,
        tags=document.tags,
        visible_text=answer.visible_text if answer else "",
        caption=". ".join(part for part in (facts.title, facts.caption) if part),
        words=document.words,
        document=document.text,
        digest=document.digest,
        people=facts.people,
        taken_at=datetime.datetime.fromisoformat(facts.taken_at) if facts.taken_at else None,
        taken_precision=facts.precision,
        camera=facts.camera,
        lens=facts.lens,
        place=facts.place,
        latitude=facts.latitude,
        longitude=facts.longitude,
        width=source.width,
        height=source.height,
        rating=facts.rating,
        provider=item.best.provider if item.best else None,
        model=answer.model if answer else None,
        prompt_version=item.best.prompt_version if item.best else None,
        described=item.rank > Rank.PIXELS,
        cluster=source.burst,
        offline=source.offline,
        vector=meant,
        pixel_vector=seen,
        own=values(own, answer.fields) if answer and own else {},
    )
