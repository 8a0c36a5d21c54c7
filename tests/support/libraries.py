"""Libraries made directly for the tests of search: a table, an encoder, and no crawl."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from indexer.domain.answer import Answer
from indexer.domain.photo import Facts
from indexer.table.document import compose
from indexer.table.encoder.load import ensure_encoder
from indexer.table.encoder.onnx import Encoder
from indexer.table.meaning import vectors
from indexer.table.photo_table import PhotoRow, PhotoTable


@cache
def encoder_home() -> Path:
    """A directory with the encoder, made once a machine."""
    cached = user_cache_path("captionary", appauthor=False)
    home = cached / "tests" / "encoder"
    ensure_encoder(home, cache=cached)
    return home


@cache
def encoder() -> Encoder:
    """The encoder, loaded once for all tests."""
    return Encoder.open(encoder_home())


def photo_row(path: str, description: str = "", tags: Sequence[str] = (), **columns: Any) -> PhotoRow:
    """A row as projecting would write it: described by a model when there is a description, else facts only."""
    guesses = columns.pop("guesses", None)
    facts = Facts(caption=columns.pop("caption", None), place=columns.get("place"), camera=columns.get("camera"))
    answer = Answer(description, tuple(tags), columns.get("visible_text", "")) if description else None
    if guesses:
        answer = Answer("", fields={"labels": [{"name": name, "p": p} for name, p in guesses.items()]})
    document = compose(path, facts, answer, measured=bool(guesses))
    (vector,) = vectors(encoder(), [document])
    row = PhotoRow(
        path=path,
        photo=columns.pop("photo", f"photo of {path}"),
        document=document.text,
        words=document.words,
        digest=document.digest,
        description=document.description,
        tags=document.tags or tuple(tags),
        caption=facts.caption or "",
        described=answer is not None and not guesses,
        vector=vector,
    )
    return replace(row, **columns)


def make_library(home: Path, rows: Iterable[PhotoRow], *, with_encoder: bool = True) -> Path:
    """Write a library of `rows` and return its directory."""
    if with_encoder:
        shutil.copytree(encoder_home(), home / "encoder")
    table = PhotoTable.open(home / "lancedb")
    table.upsert(rows)
    table.maintain()
    return home
