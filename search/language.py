"""What people type into the one box: words, "a phrase", -word, tag:sunset, camera:canon, in:~/Photos, file names.

Quotes escape all of it: "tag:sunset" in quotes is a phrase of two words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import date

from indexer.domain.errors import UsageError
from indexer.table.words import phrase
from search.dates import When, named
from search.filters import Filters, Query, typed

_PICTURES = "jpe?g|png|heic|heif|gif|webp|tiff?|bmp|avif|dng|cr2|cr3|nef|arw|orf|raf|rw2|psd"
_FILE = re.compile(rf"(?i)(?<=\w)\.(?:{_PICTURES})$")
_FOLDERS = 3
_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"'})
_PIECE = re.compile(
    r"""(?P<minus>(?<!\S)-(?=[^\W\d_]|"))?
    (?:(?P<name>tag|person|camera|in):(?=["\w~./\\-]))?
    (?:"(?P<quoted>[^"]*)"(?!\S) | (?P<bare>\S+))""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of what was typed: `name` of the filter before the colon, "" for words."""

    text: str
    name: str = ""
    quoted: bool = False
    unwanted: bool = False


@dataclass(frozen=True, slots=True)
class Understood(Query):
    """A search whose text was read: `text` holds the words that are left, filters stand in their fields.

    Every hit holds all `phrases` and none of `unwanted`; `when` is the date that the text says in words.
    """

    phrases: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()
    when: When | None = None

    @property
    def filters(self) -> Filters:
        """Which rows may be hits; raises `UsageError` for a filter that cannot be meant."""
        plain = typed(self)
        return replace(plain, phrases=_needles(self.phrases), unwanted=(*plain.unwanted, *_needles(self.unwanted)))


def _needles(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(needle for text in texts for needle in phrase(text))


def pieces(text: str) -> Iterator[Piece]:
    """Yield the parts of a query in order."""
    for found in _PIECE.finditer(text.translate(_QUOTES)):
        quoted, name = found["quoted"], (found["name"] or "").lower()
        said = quoted if quoted is not None else found["bare"].strip('"')
        if said.strip():
            yield Piece(said.strip(), name, quoted is not None, bool(found["minus"]))


def understood(query: Query, today: date) -> Understood:
    """Return `query` as its text is meant on that day; raises `UsageError`."""
    if not isinstance(query.text, str):
        raise UsageError(f"text {query.text!r} is not a text", hint="give words as one text")
    words: list[str] = []
    phrases: list[str] = []
    unwanted: list[str] = []
    not_words = [query.not_words]
    parts = list(pieces(query.text)) or [Piece(query.text)]
    for piece in parts:
        if piece.name:
            query = _filtered(query, piece)
        elif piece.unwanted:
            (unwanted if piece.quoted else not_words).append(piece.text)
        elif piece.quoted:
            phrases.append(piece.text)
        else:
            words.append(_named(piece.text))
    when = named(" ".join(words), today)
    query = replace(
        query,
        text=" ".join(filter(None, (" ".join(words) if when is None else when.rest, *phrases))),
        not_words=" ".join(filter(None, not_words)) if isinstance(query.not_words, str) else query.not_words,
    )
    asked = {field.name: getattr(query, field.name) for field in fields(Query)}
    return Understood(**asked, phrases=tuple(phrases), unwanted=tuple(unwanted), when=when)


def _filtered(query: Query, piece: Piece) -> Query:
    if piece.name == "tag":
        given = query.no_tags if piece.unwanted else query.tags
        both = (*([given] if isinstance(given, str) else given), piece.text)
        return replace(query, no_tags=both) if piece.unwanted else replace(query, tags=both)
    if piece.unwanted:
        raise UsageError(f"-{piece.name}:{piece.text} cannot be excluded", hint='only -word, -"a phrase" and -tag:name')
    if piece.name == "camera":
        _once(piece, query.camera)
        return replace(query, camera=piece.text)
    if piece.name == "person":
        _once(piece, query.person)
        return replace(query, person=piece.text)
    _once(piece, query.within)
    return replace(query, within=piece.text)


def _once(piece: Piece, given: object) -> None:
    if given is not None:
        raise UsageError(f"{piece.name}: is given twice", hint=f"one {piece.name}: or --{piece.name} at a time")


def _named(word: str) -> str:
    """A word as it is searched: of a path the last folders and the name, without the ending of a picture file."""
    if "/" not in word:
        return _FILE.sub("", word)
    parts = [part for part in word.split("/") if part not in ("", "~", ".", "..")]
    return " ".join((*parts[-_FOLDERS - 1 : -1], *(_FILE.sub("", part) for part in parts[-1:]))) or word
