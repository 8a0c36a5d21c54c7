"""Text to the terms that word search compares: one normaliser for documents, queries and explanations.

The index stores these terms and the query is cut by the same function, so what a hit says about its words is
exactly what found it. Changing anything here but the stop words, which only queries drop, needs a new
`DOCUMENT_VERSION`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

from indexer.domain.characters import normal

STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        a about an and any are as at be been being by can did do does for from had has have he her him his i if in
        into is it its me my of on onto or our she so some such than that the their them then there these they this
        those to us was we were what when where which while who whose will with you your
        all also another around behind between down each just near next off only other out over through under up very
        image images photo photos photograph picture pictures show shows showing
        """,
    )
)
"""Words that say nothing about one picture among pictures; a query made only of them keeps them."""

_IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "feet": "foot",
    "teeth": "tooth",
    "mice": "mouse",
    "geese": "goose",
    "wolves": "wolf",
    "leaves": "leaf",
    "knives": "knife",
    "shelves": "shelf",
    "loaves": "loaf",
    "scarves": "scarf",
    "calves": "calf",
    "lying": "lie",
    "dying": "die",
    "tying": "tie",
    "skis": "ski",
    "skies": "sky",
    "taxis": "taxi",
    "buses": "bus",
}
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th"})
_POSSESSIVE = re.compile(r"['’]s\b")
_ACCENT = re.compile(r"[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670]")
"""Marks that people leave out when they type; the vowel signs of other scripts are letters to their readers."""
_SIGNS = r"\u0900-\u0963\u0971-\u0df3\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece"
_SIGNS += r"\u102b-\u103e\u1056-\u1059\u1082-\u108d\u17b4-\u17d3\u3099\u309a"
_EMOJI = r"[\u2600-\u27bf\U0001f000-\U0001faff]"
_TOKEN = re.compile(rf"(?:[^\W_]+|[{_SIGNS}])+|{_EMOJI}")
_PLAIN_TOKEN = re.compile(r"[a-z0-9]+")
"""The same in a folded text that is all ASCII, found in half the time."""
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_CLUSTER = re.compile(rf"[^\W_][{_SIGNS}]*|[{_SIGNS}]+")
"""A letter with its signs, near enough to the grapheme clusters of UAX 29 in scripts without spaces."""
_CAPITAL = re.compile(r"(?<=[a-zß-ÿ])(?=[A-ZÀ-Þ])")
_DIGITS = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_VOWELS = "aeiouy"
_VOWEL = re.compile(r"[aeiouy]")
_REGION = re.compile(r"[aeiouy][^aeiouy]")
_SHORT = re.compile(r"(?:[^aeiouy][aeiouy][^aeiouywx]|\A[aeiouy][^aeiouy])\Z")
_DOUBLES = ("bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt")
_INVARIANT = frozenset(
    ["andes", "atlas", "bias", "cosmos", "earring", "evening", "herring", "inning", "news", "outing", "sky"]
)
_LONGEST = 64


def fold(text: str) -> str:
    """Return `text` without case and accents: "Café" and "cafe" are one word."""
    if text.isascii():
        return text.lower()
    bare = _ACCENT.sub("", normal("NFKD", text.casefold()))
    return normal("NFC", bare).translate(_LETTERS)


def terms(text: str) -> list[str]:
    """Return the terms of `text` in order, stop words included.

    Words are cut as UAX 29 cuts them; scripts written without spaces give their letters and pairs of neighbours.
    """
    return _line(text).split()


def query_terms(text: str) -> list[str]:
    """Return the distinct terms of a query in order, without stop words unless there is nothing else."""
    spoken = tokens(text)
    telling = [token for token in spoken if token not in STOP_WORDS]
    return list(dict.fromkeys(terms(" ".join(telling or spoken))))


def phrase(text: str) -> list[str]:
    """Return what a line of terms holds where it holds `text` word by word: parts with a space around each.

    A run of a script without spaces is a part of its own: its pairs of neighbours follow each other in the line.
    """
    parts: list[list[str]] = [[]]
    for token in tokens(text):
        run = _UNSPACED.fullmatch(token)
        if run is None:
            parts[-1] += terms(token)
        else:
            parts += [[a + b for a, b in pairwise(_CLUSTER.findall(token))] or [token], []]
    return [f" {' '.join(part)} " for part in parts if part]


def stem(word: str) -> str:
    """Return the stem of a lower-case ASCII word: inflections go, derivations stay.

    These are the steps of Porter's English stemmer (1980, 2001) that undo plurals, verb forms and adverbs, and his
    rules for a final e and y; what turns one word into another, such as -ation and -ness, is left to the embedding.
    """
    word = _IRREGULAR.get(word, word)
    if len(word) < 3 or word in _INVARIANT:
        return word
    word = _singular(word)
    word = word if word in _INVARIANT else _adverb(_verb(word))
    if word.endswith("y") and len(word) > 2 and word[-2] not in _VOWELS:
        return word[:-1] + "i"
    if word.endswith("e") and _region(word) < len(word) and not _ends_short(word[:-1]):
        return word[:-1]
    return word


def _singular(word: str) -> str:
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ies", "ied")):
        return word[:-2] if len(word) > 4 else word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")) and _VOWEL.search(word[:-2]):
        return word[:-1]
    return word


def _verb(word: str) -> str:
    for ending in ("ing", "ed"):
        base = word.removesuffix(ending)
        if base == word or word.endswith("eed") or not _VOWEL.search(base):
            continue
        if base.endswith(("at", "bl", "iz")):
            return base + "e"
        if base.endswith(_DOUBLES):
            return base[:-1]
        return base + "e" if _ends_short(base) and _region(base) == len(base) else base
    return word


def _adverb(word: str) -> str:
    if word.endswith("ly") and len(word) - 2 >= _region(word) and word[-3] in "cdeghkmnrt":
        return word[:-2]
    return word


def _region(word: str) -> int:
    """Where the part begins that endings are taken from: after the first consonant that follows a vowel."""
    first = _REGION.search(word)
    return first.end() if first else len(word)


def _ends_short(word: str) -> bool:
    return bool(_SHORT.search(word))


@lru_cache(maxsize=4096)
def name_words(name: str) -> str:
    """Return the words of a file or folder name, as they are and cut at inner capitals and digits."""
    found: list[str] = []
    for token in _TOKEN.findall(name):
        pieces = _CAPITAL.sub(" ", _DIGITS.sub(" ", token)).split()
        found += [token, *pieces] if len(pieces) > 1 else [token]
    return " ".join(found)


def joined(parts: Iterable[str]) -> str:
    """Return the terms of `parts` as one line with a space around each, so that a term can be found whole."""
    line = _line("\n".join(parts))
    return f" {line} " if line else ""


def _line(text: str) -> str:
    """The terms of `text` with a space between them."""
    return " ".join(map(_known, tokens(text)))


def tokens(text: str) -> list[str]:
    """Return the words of `text` in order, folded but not stemmed."""
    folded = fold(_POSSESSIVE.sub("", text) if "'" in text or "’" in text else text)
    return (_PLAIN_TOKEN if folded.isascii() else _TOKEN).findall(folded)


@lru_cache(maxsize=65536)
def _known(token: str) -> str:
    """The terms of a token with a space between them: few words make up most texts."""
    return stem(token[:_LONGEST]) if token.isascii() and token.isalpha() else " ".join(_pieces(token))


def _pieces(token: str) -> list[str]:
    found: list[str] = []
    if token.isascii():
        return [token[:_LONGEST]]
    last = 0
    for run in _UNSPACED.finditer(token):
        found.extend(part[:_LONGEST] for part in (token[last : run.start()],) if part)
        characters = _CLUSTER.findall(run.group())
        found.extend(characters)
        found.extend(a + b for a, b in pairwise(characters))
        last = run.end()
    found.extend(part[:_LONGEST] for part in (token[last:],) if part)
    return found
