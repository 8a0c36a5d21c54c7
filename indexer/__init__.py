"""Captionary's indexer: a folder of pictures becomes a library that can be searched.

Importing it is light: nothing heavy is loaded before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from indexer.domain.errors import ApprovalRequired, CaptionaryError

if TYPE_CHECKING:
    from indexer.domain.plan import Plan
    from indexer.library.api import Library
    from indexer.pipeline.report import Report

__all__ = ["ApprovalRequired", "CaptionaryError", "Library", "Plan", "Report"]
_HOMES = {"Library": "indexer.library.api", "Plan": "indexer.domain.answer", "Report": "indexer.pipeline.report"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'indexer' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
