"""Words for amounts, jobs and failures, the same on a terminal and on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer.domain.job import JobLine

REMEDIES = {
    "unreadable": "repair or replace these files, then index again",
    "unsupported": "each line says what to install; then index again",
    "too_large": "raise --max-pixels to include them",
    "rejected": "index retry asks again",
    "blocked": "refused by the provider; to ask once more: index retry --only blocked",
    "truncated": "index retry asks again with more room",
    "malformed": "index retry asks again",
    "missing": "index retry asks again",
    "expired": "index retry asks again",
    "server_error": "index retry asks again",
}
"""What to do about photos that failed, by reason."""


def job_words(job: JobLine) -> str:
    """Say in a line what a job does, how old it is and when it will be ready."""
    return f"{job.state}, sent {span(job.age_s)} ago{_eta(job)}"


def _eta(job: JobLine) -> str:
    if job.stuck:
        return "; STUCK: it takes far longer than others did (--deadline ends the wait)"
    if job.eta_s is None:
        return ""
    basis = "from earlier jobs here" if job.eta_s["source"] == "history" else "as the provider promises"
    return f", ready in {span(job.eta_s['low'])} to {span(job.eta_s['high'])} ({basis})"


def span(seconds: float) -> str:
    """Return a length of time as people say it."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def size(count: int) -> str:
    """Return a number of bytes as people say it."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def count_photos(count: int) -> str:
    """Say how many photos, in words."""
    return "1 photo" if count == 1 else f"{count:,} photos"
