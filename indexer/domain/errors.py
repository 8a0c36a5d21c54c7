"""Every error that Captionary raises on purpose, as one tree.

    CaptionaryError             exit 1
    ├── UsageError              exit 2   the call itself is wrong
    │   ├── MissingPath                  a PATH that is not there
    │   └── BadSetting                   an unknown or malformed setting
    ├── Unwritable              exit 1   a file that was asked for cannot be written
    ├── LibraryError            exit 1   the library directory cannot serve
    │   ├── LibraryMissing
    │   ├── LedgerLost                   its table or batches stand, the ledger does not
    │   ├── LibraryUnwritable
    │   ├── LibraryLocked                another writer is at work
    │   └── LibraryNewer                 written by a newer Captionary
    ├── ProviderError           exit 1   the remote service, or the way to it
    │   ├── KeyMissing
    │   ├── KeyRefused
    │   ├── NoCredit
    │   ├── RateLimited                  ask again later; `retry_after` seconds when the service said so
    │   ├── Unreachable                  no answer, or a server's fault: the outcome is unknown
    │   └── Refused                      the service said no, and why
    │       ├── NotFound                 it knows no such job or file, or not yet: lists and look-ups lag
    │       ├── UnknownModel             it has no model of that name
    │       └── Unsendable               it would say no: found before anything was sent
    └── Stopped                 exit 5   stopped before money was spent, or more of it
        ├── ApprovalRequired             carries the plan that waits for a yes
        ├── BudgetReached
        └── GateFailed                   the answers that came back are not good enough to go on

The message says what and where, the hint what to do next; both are one line. Messages never hold a key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from indexer.domain.money import dollar_range, dollars

if TYPE_CHECKING:
    from indexer.domain.plan import Plan


def first_line(fault: BaseException) -> str:
    """Return the first line of what a library's error says, 200 characters at most; its kind when it says nothing."""
    said = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
    return said.strip().partition("\n")[0][:200] or type(fault).__name__


class CaptionaryError(Exception):
    """Base of all errors meant for a person; `hint` says what to do next, `exit_code` what a shell is told."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(CaptionaryError):
    """The call itself is wrong."""

    exit_code = 2


class MissingPath(UsageError):
    """A PATH that does not exist."""


class BadSetting(UsageError):
    """An unknown setting, or a value that does not fit it."""


class Unwritable(CaptionaryError):
    """A file that was asked for cannot be written."""


class LibraryError(CaptionaryError):
    """The library directory cannot serve."""


class LibraryMissing(LibraryError):
    """There is no library where one is needed."""


class LedgerLost(LibraryError):
    """The ledger of a library is missing or empty, while its table or its batches stand."""


class LibraryUnwritable(LibraryError):
    """The library directory cannot be written."""

    @classmethod
    def at(cls, folder: object, fault: BaseException, hint: str = "") -> LibraryUnwritable:
        """Return the error of the library in `folder`, which `fault` keeps from being written."""
        usual = "check its owner, permissions and free space, or name another with --library"
        return cls(f"the library at {folder} cannot be written: {first_line(fault)}", hint=hint or usual)


class LibraryLocked(LibraryError):
    """Another process is writing to the library."""


class LibraryNewer(LibraryError):
    """The library was written by a newer Captionary."""


class ProviderError(CaptionaryError):
    """The remote service, or the way to it, failed."""


class KeyMissing(ProviderError):
    """No key for the provider in the environment."""


class KeyRefused(ProviderError):
    """The service does not accept the key."""


class NoCredit(ProviderError):
    """The account behind the key has no credit, or its plan does not include what was asked."""


class RateLimited(ProviderError):
    """The service asks to wait; `retry_after` is in seconds, None when it did not say."""

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class Unreachable(ProviderError):
    """No clean answer came back, so the outcome of the call is unknown; unless nothing was `sent`."""

    def __init__(self, message: str, *, hint: str = "", sent: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.sent = sent


class Refused(ProviderError):
    """The service refused the call and would refuse it again."""


class Unsendable(Refused):
    """Our own check found what the service would refuse; nothing was sent."""


class UnknownModel(Refused):
    """The service has no model of the name that was asked; the hint has the nearest ones that it has."""


class NotFound(Refused):
    """The service knows no such job or file: gone, never there, or too new for its look-up to see."""


class Stopped(CaptionaryError):
    """Stopped on purpose; what is done is kept."""

    exit_code = 5


class ApprovalRequired(Stopped):
    """The plan costs money and nobody has said yes; nothing was paid."""

    def __init__(self, plan: Plan, message: str = "", *, hint: str = "") -> None:
        super().__init__(
            message
            or f"not approved, so nothing was sent: about {dollar_range(plan.cost.low, plan.cost.high)}, "
            f"at most {dollars(plan.most_usd)}",
            hint=hint or "approve with --yes, in Python with approve=True",
        )
        self.plan = plan


class BudgetReached(Stopped):
    """The next step could exceed the budget."""


class GateFailed(Stopped):
    """Too many of the answers that came back are unusable."""
