"""DeepSeek, one call at a time: what is known without a key, and the hours in which calls cost half."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from indexer.domain.mode import Mode
from indexer.domain.question import Question
from indexer.providers.spec import Rank, Spec
from indexer.providers.tokens import Tokens, counted

# Dear hours, Monday to Friday in UTC. Chinese public holidays are cheap all day at the service; they are left out
# here, so calls wait on them that need not.
_PEAKS = ((time(1), time(4)), (time(6), time(10)))
_BEFORE_AN_EDGE = timedelta(minutes=2)
_FRIDAY = 4


def tokens(question: Question, prompt: str, width: int, height: int) -> Tokens:
    """Count a picture by its pixels, 1,024 tokens at most."""
    return counted(question, prompt, min(1024, -(-width * height // 1700) + 187))


def is_cheap(moment: float) -> bool:
    """Say whether a call that is served at this moment, in seconds since the epoch, costs half."""
    at = datetime.fromtimestamp(moment, UTC)
    return at.weekday() > _FRIDAY or not any(start <= at.time() < end for start, end in _PEAKS)


def opens_at(mode: Mode, now: float) -> float:
    """Return the moment from which calls of this mode may go out: now, or when the cheap hours begin.

    Off-peak calls stop two minutes before the dear hours, so that none is served in them.
    """
    if mode is not Mode.OFF_PEAK:
        return now
    at = datetime.fromtimestamp(now, UTC)
    if at.weekday() > _FRIDAY:
        at_edge = at + _BEFORE_AN_EDGE
        if at_edge.weekday() > _FRIDAY or is_cheap(at_edge.timestamp()):
            return now
    for start, end in _PEAKS:
        begins = datetime.combine(at.date(), start, UTC) - _BEFORE_AN_EDGE
        ends = datetime.combine(at.date(), end, UTC)
        if at.weekday() <= _FRIDAY and begins <= at < ends:
            return ends.timestamp()
    return now


SPEC = Spec(
    name="deepseek",
    rank=Rank.REMOTE_MODEL,
    modes=(Mode.OFF_PEAK, Mode.INTERACTIVE),
    default_model="deepseek-flash",
    opens="indexer.providers.deepseek.adapter:open_deepseek",
    key_variables=("DEEPSEEK_API_KEY",),
    tokens=tokens,
    trains="unknown",
    opens_at=opens_at,
    automatic=5,
)
