"""Handles of files at a service, as many as there are, in the one column that keeps them: with spaces between."""

from __future__ import annotations

from collections.abc import Iterable

_INNER = "\x1f"
"""Stands for a space inside a handle, as the name of a bucket's folder may have one."""


def stored(handles: Iterable[str]) -> str:
    """Return the text that keeps `handles`; empty ones are left out."""
    return " ".join(handle.replace(" ", _INNER) for handle in handles if handle)


def read(text: str) -> tuple[str, ...]:
    """Return the handles that `stored` made `text` of."""
    return tuple(handle.replace(_INNER, " ") for handle in text.split(" ") if handle)
