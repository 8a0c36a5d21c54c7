"""How a word may be spelled in a library: joined, split, with a hyphen, with umlauts as two letters, or right.

A needle is one or more terms with a space around each, to be looked for in the term line of a row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from itertools import islice, product
from operator import add
from typing import TYPE_CHECKING

from indexer.domain.characters import normal
from indexer.table.words import STOP_WORDS, fold, phrase, query_terms, terms, tokens

if TYPE_CHECKING:
    from search.reader import View

MOST_TERMS = 128
"""Distinct words of a query that are looked for; a pasted page is more than that."""
_LONGEST = 40
_MOST_PARTS = 4
_LEAST_SPLIT = 4
_LEAST_MISSPELT = 4
_TWO_FAULTS = 8  # letters of a word in which two may be wrong
_SPREAD = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_NARROW = {"ae": "a", "oe": "o", "ue": "u"}
_ROWS = 50
_UNKNOWN = 4


def wanted(text: str) -> list[str]:
    """Return the distinct terms that a query looks for, at most `MOST_TERMS`."""
    return query_terms(text)[:MOST_TERMS]


@lru_cache(maxsize=64)
def spellings(text: str) -> Mapping[str, tuple[str, ...]]:
    """Return for terms of a query the needles that mean the same."""
    spoken = tokens(text)[: 2 * MOST_TERMS]
    found: dict[str, dict[str, None]] = {}
    for token, needles in (*_joined(spoken), *_umlauts(text, spoken), *_split(spoken)):
        own = terms(token)
        if len(own) == 1:
            others = [needle for needle in needles if needle.split() != own]
            found.setdefault(own[0], {}).update(dict.fromkeys(others))
    return {term: tuple(needles) for term, needles in found.items() if needles}


def lookup(text: str) -> list[str]:
    """Return the terms that the word index is asked for: those of a query and their other spellings in one word."""
    also = spellings(text)
    known = wanted(text)
    single = (needle.strip() for term in known for needle in also.get(term, ()) if needle.count(" ") == 2)
    return list(dict.fromkeys((*known, *single)))


@lru_cache(maxsize=64)
def tag_spellings(tag: str) -> tuple[str, ...]:
    """Return how a library may write `tag`, joined, with hyphens or split: as it was typed first."""
    parts = tag.replace("-", " ").split()
    if len(parts) > 1:
        marks = product(("", "-", " "), repeat=len(parts) - 1) if len(parts) <= _MOST_PARTS else ()
        others = ["".join(map(add, parts, (*each, ""))) for each in marks]
    else:
        places = range(1, len(tag)) if len(parts) == 1 and parts[0] == tag and len(tag) <= _LONGEST else ()
        others = [f"{tag[:at]}{mark}{tag[at:]}" for at in places for mark in "- "]
    return tuple(dict.fromkeys((tag, *others)))


def halves(term: str, text: str) -> list[tuple[str, str]]:
    """Return the pairs of terms that `term` of a query may stand as."""
    pairs = (needle.split() for needle in spellings(text).get(term, ()))
    return [(pair[0], pair[1]) for pair in pairs if len(pair) == 2]


def unwanted(text: str) -> tuple[list[str], list[str]]:
    """Return what words that no hit may hold are: terms, and needles of several terms."""
    single: dict[str, None] = {}
    several: dict[str, None] = {}
    spoken = text.split()
    for word in [word for word in spoken if fold(word) not in STOP_WORDS] or spoken:
        for needle in (*phrase(word), *(other for others in spellings(word).values() for other in others)):
            (single if needle.count(" ") == 2 else several).setdefault(needle.strip())
    return list(single), [f" {needle} " for needle in several]


def unknown(text: str, matched: Collection[str]) -> list[str]:
    """Return the words of a query that may be misspelt: none of them has `matched`."""
    words = (word for word in dict.fromkeys(text.split()) if word not in matched and fold(word) not in STOP_WORDS)
    return list(islice(words, _UNKNOWN))


def corrected(view: View, word: str) -> str | None:
    """Return the word of the library that `word` seems to be meant for, None where it is one or none is near."""
    own = terms(word)
    if len(own) != 1 or len(own[0]) < _LEAST_MISSPELT or not own[0].isalpha():
        return None
    most = 2 if len(own[0]) >= _TWO_FAULTS else 1
    # The word index counts two swapped letters as two faults, and the ending of a word tells after the swap.
    swapped = {term for each in _swapped(fold(word)) for term in terms(each)}
    rows = list(dict.fromkeys((*view.by_likeness(own[0], most, _ROWS), *view.by_words(sorted(swapped), None, _ROWS))))
    holders: dict[str, int] = {}
    for one in view.candidates(rows):
        for term in dict.fromkeys(one.line.split()):
            near = abs(len(term) - len(own[0])) <= most and faults(term, own[0], most) <= most
            if near or term in swapped:
                holders[term] = holders.get(term, 0) + 1
    if not holders or own[0] in holders:
        return None
    best = min(holders, key=lambda term: (1 if term in swapped else faults(term, own[0], most), -holders[term], term))
    return _surface(view, rows, best)


def _swapped(word: str) -> Iterable[str]:
    """A word with two neighbours swapped: "dgos" is "dogs"."""
    return (word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1))


def faults(one: str, other: str, most: int) -> int:
    """Return how many letters are missing, added, changed or swapped between two words; above `most` some larger one.

    The optimal string alignment distance.
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, right in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return row[-1]


def _surface(view: View, rows: Iterable[int], term: str) -> str:
    """The word as it is written where it stands, in its shortest form."""
    written = {
        token
        for shown in view.shown(rows)
        for token in tokens(" ".join((shown.description or "", *shown.tags, shown.path)))
        if terms(token) == [term]
    }
    return min(written, key=lambda token: (len(token), token), default=term)


def _joined(spoken: list[str]) -> Iterable[tuple[str, list[str]]]:
    """Neighbours written as one word: "sand castle" is "sandcastle"."""
    for start in range(len(spoken)):
        for end in (start + 2, start + 3):
            whole = "".join(spoken[start:end])
            if end <= len(spoken) and len(whole) <= _LONGEST:
                for token in spoken[start:end]:
                    yield token, _needles(whole)


def _split(spoken: list[str]) -> Iterable[tuple[str, list[str]]]:
    """A word written as two: "tshirt" is "t-shirt"."""
    for token in spoken:
        if not token.isascii() or not _LEAST_SPLIT <= len(token) <= _LONGEST:
            continue
        for at in range(1, len(token) - 1):
            left, right = token[:at], token[at:]
            if left not in STOP_WORDS and right not in STOP_WORDS:
                yield token, [f" {' '.join(terms(f'{left} {right}'))} "]


def _umlauts(text: str, spoken: list[str]) -> Iterable[tuple[str, list[str]]]:
    """Umlauts as two letters and back: "Müller" is "Mueller"."""
    spread = tokens(normal("NFC", text).lower().translate(_SPREAD))
    for token, wide in zip(spoken, spread, strict=False):
        if wide != token and len(spread) >= len(spoken):
            yield token, _needles(wide)
        narrow = token
        for pair, letter in _NARROW.items():
            narrow = narrow.replace(pair, letter)
        if narrow != token:
            yield token, _needles(narrow)


def _needles(word: str) -> list[str]:
    own = terms(fold(word))
    return [f" {own[0]} "] if len(own) == 1 else []
