"""A few photos asked of several routes at once, so that quality is chosen by eye and price by measure.

The answers are ordinary ones: they are kept, found by search, and never bought again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any

from indexer.domain.errors import ApprovalRequired, ProviderError
from indexer.domain.mode import Mode
from indexer.domain.plan import Cost, Plan
from indexer.ledger.scope import Scope
from indexer.ledger.spend import approvals
from indexer.ledger.spend.approvals import Yes
from indexer.ledger.views import compared, pilot_sample
from indexer.ledger.views.compared import ComparedAnswer
from indexer.ledger.work import items, questions
from indexer.pipeline import budget
from indexer.pipeline.request import Approve, Ask
from indexer.pipeline.send.calls import CallSender
from indexer.pipeline.session import Session
from indexer.storage.paths import to_text

SHEET = "compare.html"
_THOUSAND = 1_000


@dataclass(frozen=True, slots=True)
class Compared:
    """One route of a comparison: how many photos it answered, and what that cost in US dollars as measured.

    `per_1000_usd` is the measured price of a thousand photos, None before anything was measured; `fault` says why the
    route could not go on, "" where it could.
    """

    provider: str
    model: str
    mode: Mode
    answered: int
    failed: int
    usd: float
    per_1000_usd: float | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Routes side by side: `rows` has for each path what every route said of it, None where it was not asked."""

    routes: tuple[Compared, ...]
    rows: tuple[tuple[str, tuple[ComparedAnswer | None, ...]], ...]
    sheet: str

    def to_dict(self) -> dict[str, Any]:
        """The comparison as `--json` prints it."""
        return {
            "photos": len(self.rows),
            "routes": [{**asdict(route), "mode": str(route.mode)} for route in self.routes],
            "rows": [
                {
                    "path": path,
                    "answers": [
                        {"provider": route.provider, "model": route.model, **(asdict(one) if one else _NOTHING)}
                        for route, one in zip(self.routes, told, strict=True)
                    ],
                }
                for path, told in self.rows
            ],
            "sheet": self.sheet,
        }


_NOTHING = asdict(ComparedAnswer("", (), "not asked", 0.0, 0, 0))


def compare(session: Session, asks: Sequence[Ask], size: int, approve: Approve) -> Comparison:
    """Ask about `size` photos, spread over all that lie there, what each of `asks` asks; `modes` of calls only.

    Raises `ApprovalRequired` before anything is sent that nobody agreed to.
    """
    photos = _sample(session, asks[0], size)
    new = [_unasked(session, ask, photos) for ask in asks]
    if any(new):
        _obtain(session, asks, photos, new, approve)
    faults = [_run(session, ask, fresh) for ask, fresh in zip(asks, new, strict=True)]
    told = [compared.said(session.ledger, _number(session, ask), photos) for ask in asks]
    routes = tuple(
        _measured(ask, list(one.values()), fault) for ask, one, fault in zip(asks, told, faults, strict=True)
    )
    where = compared.paths(session.ledger, photos)
    rows = tuple(
        (to_text(path), tuple(one.get(photo) for one in told)) for path, photo in zip(where, photos, strict=True)
    )
    sheet = session.batches.parent / SHEET
    _write(sheet, routes, rows)
    return Comparison(routes, rows, str(sheet))


def _number(session: Session, ask: Ask) -> int | None:
    return questions.known_question(session.ledger, ask.question)


def _unasked(session: Session, ask: Ask, photos: Sequence[str]) -> list[str]:
    return compared.unasked(session.ledger, _number(session, ask), photos)


def _sample(session: Session, ask: Ask, size: int) -> list[str]:
    """Photos in equal steps through all of them, which lie like beside like: the same ones next time."""
    found = pilot_sample.candidates(session.ledger, None, Scope(ask.roots))
    count = min(size, len(found))
    return [found[int((place + 0.5) * len(found) / count)].photo for place in range(count)]


def _obtain(
    session: Session, asks: Sequence[Ask], photos: Sequence[str], new: Sequence[Sequence[str]], approve: Approve
) -> None:
    """Have one yes for all routes, then let their works wait."""
    plan = _plan(session, asks, photos, new)
    if plan.most_usd and not approve(plan):
        raise ApprovalRequired(plan)
    with session.ledger.transaction("approval") as transaction:
        ends = approvals.deadline(session.ledger)
        campaign = approvals.begin_campaign(transaction)
        held = approvals.budget(session.ledger, campaign)
        cap = held.cap_with(plan.most_usd)
        approvals.approve(transaction, campaign, Yes(json.dumps(asdict(plan)), cap, ends, kind="compare"))
        for ask, fresh in zip(asks, new, strict=True):
            items.want(transaction, ask.question, fresh, campaign, ask.mode)


def _plan(session: Session, asks: Sequence[Ask], photos: Sequence[str], new: Sequence[Sequence[str]]) -> Plan:
    quotes = [session.pricing.quote(ask.question, ask.mode) for ask in asks]
    counts = [len(fresh) for fresh in new]
    pairs = list(zip(quotes, counts, strict=True))
    cost = Cost(sum(q.likely.low * n for q, n in pairs), sum(q.likely.high * n for q, n in pairs))
    return Plan(
        provider=" + ".join(f"{ask.question.provider} {ask.question.model}" for ask in asks),
        model="",
        mode=Mode.INTERACTIVE,
        files=len(photos) * len(asks),
        planned=len(photos) * len(asks),
        reused=len(photos) * len(asks) - sum(counts),
        new=sum(counts),
        duplicate=0,
        pilot=0,
        input_tokens=sum(quote.counted_tokens * count for quote, count in pairs),
        output_tokens=sum(quote.output_tokens * count for quote, count in pairs),
        cost=cost,
        interactive_cost=cost,
        upload_bytes=round(sum(counts) * (session.spool.mean_size() or 0.0)),
        shards=0,
        most_usd=sum(quote.high_usd * count for quote, count in pairs),
        warnings=(f"photos compared: {len(photos):,}; each is asked of {len(asks)} routes and counted for each",),
    )


def _run(session: Session, ask: Ask, fresh: Sequence[str]) -> str:
    """Ask a route; returns why it could not go on, and lets what it did not answer go."""
    number = _number(session, ask)
    if not fresh or number is None:
        return ""
    try:
        CallSender(session, ask.question, number, ask.mode).run(budget.left(session))
    except ProviderError as fault:
        with session.ledger.transaction("route given up") as transaction:
            items.give_up_question(transaction, number)
        return str(fault)
    return ""


def _measured(ask: Ask, told: Sequence[ComparedAnswer], fault: str) -> Compared:
    paid = [one.usd for one in told if one.input_tokens]
    return Compared(
        provider=ask.question.provider,
        model=ask.question.model,
        mode=ask.mode,
        answered=sum(not one.failure for one in told),
        failed=sum(bool(one.failure) for one in told),
        usd=sum(one.usd for one in told),
        per_1000_usd=_THOUSAND * fmean(paid) if paid else None,
        fault=fault,
    )


def _write(
    target: Any, routes: Sequence[Compared], rows: Sequence[tuple[str, Sequence[ComparedAnswer | None]]]
) -> None:
    from indexer.export.contact_sheet import Card, write_sheet

    cards = [
        Card(
            path=path,
            description=one.description if one else "",
            tags=one.tags if one else (),
            facts=f"{route.provider} {route.model}: "
            + (one.failure or f"${one.usd:.6f}" if one else route.fault or "not asked"),
        )
        for path, told in rows
        for route, one in zip(routes, told, strict=True)
    ]
    names = ", ".join(f"{route.provider} {route.model}" for route in routes)
    write_sheet(target, f"Compared: {names}", cards)


def calls_only(ask: Ask, modes: Sequence[Mode]) -> Ask:
    """Return `ask` by single calls, the answers of which are those of a batch and are there at once."""
    kinds = [mode for mode in modes if mode is not Mode.BATCH]
    return ask if ask.mode in kinds else replace(ask, mode=Mode.INTERACTIVE if Mode.INTERACTIVE in kinds else kinds[0])
