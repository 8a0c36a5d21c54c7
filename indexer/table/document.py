"""What a photo says to search: facts and best answer, composed into the text to embed and the words beside it.

This is the only place where a document is composed. Its digest decides whether a photo is embedded again; a
change of the composition raises `DOCUMENT_VERSION`, which embeds every photo anew and asks no provider anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from indexer.domain.answer import Answer
from indexer.domain.keys import digest
from indexer.domain.photo import Facts
from indexer.domain.prompts import ENGLISH_FIELD
from indexer.domain.tags import distinct
from indexer.table.words import name_words

DOCUMENT_VERSION = 2
LABELS_FIELD = "labels"
"""The field of a measured answer with what the picture possibly shows."""
_FOLDERS = 3
_LONGEST_VISIBLE_TEXT = 500
_BETWEEN = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")
_ENDS_WITHIN = re.compile(r"[.!?…。！？\n].", re.DOTALL)  # a text of one sentence, which many are, is not worth cutting
_LEAST_WORDS = 3


@dataclass(frozen=True, slots=True)
class Document:
    """A photo's text, composed.

    `text` is what is embedded ("" when nothing meaningful is known), `words` what is searched by words only,
    `description` and `tags` what is shown. `digest` changes exactly when `text` or its composition does.
    """

    text: str
    words: str
    description: str | None
    tags: tuple[str, ...]
    digest: str
    sentences: tuple[str, ...] = ()
    """Those of description and human caption, which are embedded once more by themselves; see `table.meaning`."""
    guesses: tuple[tuple[str, float], ...] = ()
    """What a small classifier takes an undescribed picture for, with probabilities; embedded where there is no text."""


def compose(path_text: str, facts: Facts, answer: Answer | None, *, measured: bool = False) -> Document:
    """Compose the document of the photo at `path_text`.

    `measured`: the answer comes of pixels alone. Its text is for words only: embedded, it drowns meaning in colours.
    """
    described = None if measured else answer
    human = _sentences(facts.title, facts.caption)
    tags = distinct(answer.tags if answer else (), facts.keywords)
    text = _lines(
        _meant(described),
        human,
        ", ".join(distinct(facts.keywords) if measured else tags),
        _clipped(described.visible_text) if described else "",
    )
    guesses = _guesses(answer) if answer is not None and measured and not text else ()
    return Document(
        text=text,
        words=_lines(_place_words(path_text, facts), _words_only(answer, measured)),
        description=_said(answer, measured, human),
        tags=tags,
        digest=digest(str(DOCUMENT_VERSION), text, *(f"{name} {share}" for name, share in guesses)),
        sentences=tuple(one for part in (_meant(described), human) for one in _cut(part)),
        guesses=guesses,
    )


def _guesses(answer: Answer) -> tuple[tuple[str, float], ...]:
    """The names and probabilities among the fields of a measured answer."""
    told = answer.fields.get(LABELS_FIELD)
    named = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    pairs = [(one.get("name"), one.get("p")) for one in named]
    return tuple(
        (name, float(p)) for name, p in pairs if isinstance(name, str) and isinstance(p, int | float) and p > 0
    )


def _cut(text: str) -> list[str]:
    """The sentences of a text that say something."""
    text = text.strip()
    parts = _BETWEEN.split(text) if _ENDS_WITHIN.search(text) else [text]
    return [one for one in parts if one.count(" ") >= _LEAST_WORDS - 1]


def _meant(described: Answer | None) -> str:
    if described is None:
        return ""
    return str(described.fields.get(ENGLISH_FIELD) or described.description).strip()


def _words_only(answer: Answer | None, measured: bool) -> str:
    if answer is None:
        return ""
    if measured:
        return _lines(answer.description, " ".join(answer.tags), answer.visible_text)
    rest = answer.visible_text[len(_clipped(answer.visible_text)) :]
    return _lines(answer.description if answer.fields.get(ENGLISH_FIELD) else "", rest)


def _said(answer: Answer | None, measured: bool, human: str) -> str | None:
    if answer is not None and not measured and answer.description.strip():
        return answer.description.strip()
    return _sentences(human, answer.description if answer else None) or None


def _place_words(path_text: str, facts: Facts) -> str:
    folder, _, name = path_text.rpartition("/")
    dot = name.rfind(".")
    stem = name[:dot] if 0 < dot < len(name) - 1 else name
    told = (facts.place, facts.camera, facts.lens, "\n".join(facts.people), "\n".join(facts.words))
    return _lines(_folder_words(folder), name_words(stem), *told)


@lru_cache(maxsize=4096)
def _folder_words(folder: str) -> str:
    names = [part for part in PurePosixPath(folder).parts if part != "/"][-_FOLDERS:]
    return _lines(*map(name_words, names))


def _sentences(*parts: str | None) -> str:
    distinct = dict.fromkeys(" ".join(part.split()) for part in parts if part and part.strip())
    return " ".join(part if part.endswith((".", "!", "?", "…")) else f"{part}." for part in distinct)


def _lines(*parts: str | None) -> str:
    return "\n".join(part.strip() for part in parts if part and part.strip())


def _clipped(text: str) -> str:
    if len(text) <= _LONGEST_VISIBLE_TEXT:
        return text
    return text[:_LONGEST_VISIBLE_TEXT].rsplit(" ", 1)[0]
