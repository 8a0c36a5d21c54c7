"""Captionary's search: find pictures by what can be seen in them, offline.

Importing it is light: nothing heavy is loaded before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.query import Coverage, Hit, Index

__all__ = ["Coverage", "Hit", "Index"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'search' has no attribute {name!r}")
    from search import query

    return getattr(query, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
