"""Captionary's indexer: a folder of pictures becomes a library that can be searched.

Importing it is light: nothing heavy is loaded before it is used. It logs to the logger "captionary", which is silent
until a program gives it a handler.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing itself would cost what a command needs to answer Ctrl-C from its first moment
if TYPE_CHECKING:
    from typing import Any

    from indexer.domain.errors import (
        ApprovalRequired,
        BadSetting,
        BudgetReached,
        CaptionaryError,
        GateFailed,
        KeyMissing,
        KeyRefused,
        LedgerLost,
        LibraryError,
        LibraryLocked,
        LibraryMissing,
        LibraryNewer,
        LibraryUnwritable,
        MissingPath,
        NoCredit,
        ProviderError,
        RateLimited,
        Refused,
        Stopped,
        UnknownModel,
        Unreachable,
        Unwritable,
        UsageError,
    )
    from indexer.domain.plan import Cost, Plan
    from indexer.domain.progress import Progress
    from indexer.library.api import FailedPhoto, Library
    from indexer.pipeline.index_options import IndexOptions
    from indexer.pipeline.report import Report

    __version__: str

__all__ = [
    "ApprovalRequired",
    "BadSetting",
    "BudgetReached",
    "CaptionaryError",
    "Cost",
    "FailedPhoto",
    "GateFailed",
    "IndexOptions",
    "KeyMissing",
    "KeyRefused",
    "LedgerLost",
    "Library",
    "LibraryError",
    "LibraryLocked",
    "LibraryMissing",
    "LibraryNewer",
    "LibraryUnwritable",
    "MissingPath",
    "NoCredit",
    "Plan",
    "Progress",
    "ProviderError",
    "RateLimited",
    "Refused",
    "Report",
    "Stopped",
    "UnknownModel",
    "Unreachable",
    "Unwritable",
    "UsageError",
    "__version__",
]
_HOMES = {
    "Cost": "indexer.domain.plan",
    "FailedPhoto": "indexer.library.api",
    "IndexOptions": "indexer.pipeline.index_options",
    "Library": "indexer.library.api",
    "Plan": "indexer.domain.plan",
    "Progress": "indexer.domain.progress",
    "Report": "indexer.pipeline.report",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("captionary")
    if name not in __all__:
        raise AttributeError(f"module 'indexer' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "indexer.domain.errors")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
