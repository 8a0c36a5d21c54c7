"""What is new, what is owned, what it would cost: the bill before anything is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from indexer.domain.job import Limits
from indexer.domain.mode import Mode
from indexer.domain.photo import RENDITION_SIDE, fitted
from indexer.domain.plan import Cost, Plan, Wait
from indexer.domain.prompts import facts_asked
from indexer.domain.question import Question
from indexer.ledger.photos.files import sizes_of
from indexer.ledger.scope import Scope
from indexer.ledger.spend import usage
from indexer.ledger.spend.usage import Used
from indexer.ledger.store import Ledger
from indexer.ledger.views import counts, durations
from indexer.ledger.work import answers, bursts, items, modes, questions
from indexer.ledger.work.bursts import Split
from indexer.ledger.work.items import Work
from indexer.ledger.work.prompt_facts import given_now, outdated
from indexer.pipeline.plan.estimate import LEAST, extrapolate, priced
from indexer.pipeline.turnaround import Next, expect
from indexer.providers.pricing import Pricing, Quote
from indexer.storage.atomic import SPARE_BYTES

_RENDITION = 100_000  # bytes of a rendition, where none is at hand to be measured
_BASE64 = 4 / 3
_ENVELOPE = 1_500  # bytes of a request around its picture and its prompt
_ROW = 6_000  # bytes that an answered photo takes in ledger, table and kept results
_LOOKED_AT = 1000  # photos whose size and facts are looked at to see how much they are
PILOT_SIZE = 20
_PILOT_FROM = 50
_TRUSTED = 20  # from so many measured answers on, the estimate is theirs
_CALL = (1.5, 8.0)  # seconds of a single call, as long as fewer were measured


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else shapes a plan.

    `pilot` is the wished size, `rendition_bytes` the mean of those at hand, `concurrency` how many interactive requests
    run at once. `one_per_burst` is as in `Ask`; `refresh` asks again where the facts in the prompt have changed;
    `trusted` is the number of measured answers from which on the estimate is theirs.
    """

    limits: Limits
    pilot: int | None = None
    rendition_bytes: float | None = None
    concurrency: int = 4
    refresh: bool = False
    one_per_burst: bool | None = None
    trusted: int = _TRUSTED


def make_plan(
    ledger: Ledger, question: Question, mode: Mode, scope: Scope, pricing: Pricing, around: Circumstances
) -> Plan:
    """Say what asking `question` about `scope` would do."""
    number = questions.known_question(ledger, question)
    count = counts.count_works(ledger, scope, number)
    files = counts.standing_of_files(ledger, scope, question.provider, number)
    open_works = count.pending or around.one_per_burst is False
    asked = bursts.to_ask(ledger, number, scope, around.one_per_burst) if open_works else Split()
    fresh, inherited = asked.ask, len(asked.inherit)
    renewed = sum(1 for _ in outdated(ledger, question, number, scope)) if around.refresh else 0
    new = len(fresh) + items.unsent(ledger, number) + modes.packed_for_other_mode(ledger, number, mode) + renewed
    first = _pilot_size(ledger, number, new, around.pilot) if mode is Mode.BATCH else 0
    bill = _Bill(ledger, question, pricing, around, fresh or items.waiting(ledger, number, mode))
    plan = bill.plan(mode, new, first)
    if around.pilot and first < min(around.pilot, new):
        told = f"{around.pilot - first} of the {around.pilot} first photos are already answered"
        plan = replace(plan, warnings=(*plan.warnings, told))
    return replace(
        plan,
        files=files.seen,
        planned=count.planned + asked.released - inherited,
        inherited=inherited,
        saves=bill.saves(mode, inherited),
        reused=count.described - renewed,
        duplicate=files.duplicate,
        otherwise=usage.answered_otherwise(ledger, number, question.provider, scope) if fresh else 0,
    )


def retry_plan(
    ledger: Ledger, question: Question, mode: Mode, failed: Sequence[Work], priced_by: tuple[Pricing, Limits]
) -> Plan:
    """Say what asking again for `failed` would cost; `priced_by` are the prices and the provider's limits."""
    pricing, limits = priced_by
    plan = _Bill(ledger, question, pricing, Circumstances(limits), [work.photo for work in failed]).plan(
        mode, len(failed), 0
    )
    roomy = [question.with_room(work.reason, work.attempts) for work in failed]
    most = sum(pricing.quote(asked, mode).high_usd for asked in roomy)
    return replace(plan, files=len(failed), planned=len(failed), most_usd=most)


class _Bill:
    """Prices requests of one question: by measured answers where there are enough, else by the rules."""

    def __init__(
        self, ledger: Ledger, question: Question, pricing: Pricing, around: Circumstances, photos: Sequence[str]
    ) -> None:
        self._ledger = ledger
        self._question = question
        self._pricing = pricing
        self._around = around
        self._kinds = _kinds(ledger, question, photos)
        spec = pricing.spec(question.provider)
        self._free, self._offline = spec.free, spec.offline
        rows = usage.used(ledger, questions.known_question(ledger, question))
        self._used: list[Used] = rows if len(rows) >= max(LEAST, around.trusted) else []

    def plan(self, mode: Mode, new: int, first: int) -> Plan:
        """Price `new` requests, `first` of them by interactive requests ahead of the others."""
        question, pricing = self._question, self._pricing
        if new:
            pricing.refuse_retired(question)
        modes_of = ((mode, new - first), (Mode.INTERACTIVE, first))
        parts = [self._range(each, count) for each, count in modes_of if count]
        calls = self._range(Mode.INTERACTIVE, new)[1] if new else Cost()
        quotes = self._quotes(mode)
        counted = _mean((quote.counted_tokens, number) for quote, number in quotes)
        bytes_sent = 0 if self._free else round(new * self._bytes_a_request())
        waves = self._around.limits.waves(new - first, quotes[0][0].input_tokens)
        return Plan(
            provider=question.provider,
            model=question.model,
            mode=mode,
            files=0,
            planned=0,
            reused=0,
            new=new,
            duplicate=0,
            pilot=first,
            input_tokens=round(new * (fmean(row.input for row in self._used) if self._used else counted)),
            output_tokens=new * quotes[0][0].output_tokens,
            cost=Cost(sum(cost.low for _, cost in parts), sum(cost.high for _, cost in parts)),
            interactive_cost=calls,
            upload_bytes=bytes_sent,
            shards=max(1, waves) if new > first and mode is Mode.BATCH else 0,
            warnings=pricing.warnings(question, mode),
            likely_usd=sum(likely for likely, _ in parts) if self._used else None,
            basis=len(self._used),
            most_usd=sum(count * pricing.quote(question, each).high_usd for each, count in modes_of if count),
            disk_bytes=(bytes_sent + SPARE_BYTES if mode is Mode.BATCH and bytes_sent else 0) + new * _ROW,
            wait=self._wait(mode, new - first, waves) if new else None,
            given=facts_asked(question.template),
        )

    def saves(self, mode: Mode, count: int) -> Cost:
        """What `count` requests would be likely to cost that are not sent."""
        return self._range(mode, count)[1] if count else Cost()

    def _range(self, mode: Mode, count: int) -> tuple[float, Cost]:
        """What `count` requests are likely to cost, and between what and what."""
        if self._used:
            return extrapolate(priced(self._used, self._pricing.price(self._question, mode)), count)
        likely = [(quote.likely, number) for quote, number in self._quotes(mode)]
        low = _mean((cost.low, number) for cost, number in likely)
        high = _mean((cost.high, number) for cost, number in likely)
        return count * (low + high) / 2, Cost(count * low, count * high)

    def _quotes(self, mode: Mode) -> list[tuple[Quote, int]]:
        """What requests cost, and how many of those that were looked at cost so."""
        return [(self._pricing.quote(self._question, mode, *kind), number) for kind, number in self._kinds.items()]

    def _bytes_a_request(self) -> float:
        return (self._around.rendition_bytes or _RENDITION) * _BASE64 + _ENVELOPE + len(self._question.template)

    def _wait(self, mode: Mode, count: int, waves: int) -> Wait | None:
        """How long it takes: by this library's own jobs and calls, or by what services promise."""
        if mode is not Mode.BATCH:
            seen = durations.calls(self._ledger, self._question, mode)
            known = len(seen) >= _TRUSTED and not self._offline
            if self._free and not known:
                return None
            one = (seen[len(seen) // 4], seen[len(seen) * 3 // 4]) if known else _CALL
            low, high = (count * seconds / max(1, self._around.concurrency) for seconds in one)
            return Wait(low, high, "from earlier calls here" if known else "an estimate")
        now = self._ledger.now()
        took = durations.jobs(self._ledger, self._question.provider, now)
        wave = expect(took, Next(self._question.model, count // max(1, waves), now))
        source = "from earlier jobs here" if wave.source == "history" else "as the provider promises"
        return Wait(max(1, waves) * wave.low, max(1, waves) * wave.high, source)


def _kinds(ledger: Ledger, question: Question, photos: Sequence[str]) -> Counter[tuple[str, tuple[int, int]]]:
    """Count requests by what makes them alike: facts in the prompt and size of the rendition.

    Some photos are looked at, spread over all.
    """
    seen = photos[:: max(1, len(photos) // _LOOKED_AT)]
    sizes = [fitted(size) for size in sizes_of(ledger, seen)]
    found = Counter(zip((given_now(ledger, question, photo) for photo in seen), sizes, strict=True))
    return found or Counter([("{}", (RENDITION_SIDE, RENDITION_SIDE))])


def _mean(weighted: Iterable[tuple[float, int]]) -> float:
    pairs = list(weighted)
    return sum(value * number for value, number in pairs) / sum(number for _, number in pairs)


def _pilot_size(ledger: Ledger, question: int | None, new: int, wished: int | None) -> int:
    """How many photos go ahead by interactive requests; photos that have an answer to this question count."""
    answered = answers.count_answers(ledger, question)
    if wished is not None:
        return max(0, min(wished - answered, new))
    return PILOT_SIZE if new >= _PILOT_FROM and answered < PILOT_SIZE else 0
