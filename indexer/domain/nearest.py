"""Did you mean: the known words nearest to one that is not known."""

from __future__ import annotations

from collections.abc import Iterable

_MOST = 3


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "did you mean: dog, dogs" with the nearest of the `known` words, "" when none is near."""
    from difflib import get_close_matches

    found = dict.fromkeys(get_close_matches(word, list(known), n=_MOST))
    return f"did you mean: {', '.join(found)}" if found else ""
