"""Which JSON file of Google Takeout belongs to which picture, by their names, which Google cuts and numbers.

The file of IMG.jpg is IMG.jpg.json or IMG.jpg.supplemental-metadata.json, cut to 46 bytes before .json; the file of
IMG(1).jpg has the number behind: IMG.jpg.supplemental-metadata(1).json. IMG-edited.jpg shares the one of IMG.jpg.
"""

from __future__ import annotations

import re

END = b".json"

_LONGEST = 46
_MORE = b"supplemental-metadata"
_NUMBERED = re.compile(rb"(.*?)(\(\d{1,4}\))", re.DOTALL)
_EDITED = re.compile(
    rb"-(?:edited|bearbeitet|bewerkt|modifi\xc3\xa9|editado|editada|modificato|redigerad|edytowane)$", re.IGNORECASE
)

Key = tuple[bytes, bytes]
"""The name of a picture as Google cuts it, and its number."""


def key_of_picture(name: bytes) -> Key:
    """Return what a picture of that name shares with its JSON file."""
    stem, dot, end = name.rpartition(b".")
    if not dot:
        stem, end = end, b""
    numbered = _NUMBERED.fullmatch(stem)
    stem, number = numbered.groups() if numbered else (stem, b"")
    return (_EDITED.sub(b"", stem) + dot + end)[:_LONGEST], number


def key_of_json(stem: bytes) -> Key:
    """Return what a JSON file shares with its picture; `stem` is its name without .json."""
    numbered = _NUMBERED.fullmatch(stem)
    stem, number = numbered.groups() if numbered else (stem, b"")
    before, dot, last = stem.rpartition(b".")
    return (before if dot and _MORE.startswith(last) else stem)[:_LONGEST], number


def json_names(name: bytes) -> list[bytes]:
    """Return the names that the JSON file of a picture may have, the longest first."""
    base, number = key_of_picture(name)
    whole = base + b"." + _MORE
    stems = dict.fromkeys(whole[:length][:_LONGEST] for length in range(len(whole), len(base) - 1, -1))
    return [stem + number + END for stem in (*stems, *((whole,) if len(whole) > _LONGEST else ()))]
