"""Characters that texts of files and models must not carry through: each room chooses which, from these classes."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

CONTROLS = "\x00-\x1f\x7f-\x9f"
"""C0, DEL and C1, as the inside of a character class: a terminal obeys them."""
CONTROLS_WITHIN_LINES = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
"""The same without tab, line feed and carriage return."""
DIRECTIONS = "\u202a-\u202e\u2066-\u2069"
"""They reorder what stands after them, even past the end of a name."""
SEPARATORS = "\u2028\u2029"
"""Line and paragraph separators, which few programs show as such."""
HALVES = "\ud800-\udfff"
"""Halves of surrogate pairs, which no UTF-8 text can hold."""

_MOST_MARKS = 30
_MARKS = re.compile(rf"[^\w\x00-\x7f]{{{_MOST_MARKS + 1},}}")


def normal(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str) -> str:
    """Return `text` in a normal form of Unicode, with no more than 30 marks on one letter.

    No language writes more (UAX 15 calls such text stream-safe), and to put thousands in order takes minutes.
    """
    return text if text.isascii() else unicodedata.normalize(form, _MARKS.sub(_thinned, text))


def _thinned(found: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for sign in found[0]:
        marks = marks + 1 if unicodedata.combining(sign) else 0
        if marks <= _MOST_MARKS:
            kept.append(sign)
    return "".join(kept)
