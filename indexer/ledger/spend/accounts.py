"""Accounts: every request, token and cent, by run, batch, provider and model, and whether they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from indexer.ledger.store import Ledger


@dataclass(frozen=True, slots=True)
class Account:
    """What one run, batch, provider or model used; money is US dollars, `reserved_usd` is booked for what is out."""

    kind: str
    name: str
    requests: int
    answered: int
    failed: int
    in_doubt: int
    not_served: int
    out: int
    input_tokens: int
    output_tokens: int
    spent_usd: float
    reserved_usd: float


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts, the total, and what does not agree, in words; nothing when the books balance."""

    total: Account
    accounts: Sequence[Account]
    faults: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """The accounts as programs are promised them; what does not agree is told as `balanced` only."""
        sums = ("requests", "input_tokens", "output_tokens", "spent_usd")
        total = {name: getattr(self.total, name) for name in sums}
        return {
            "total": {**total, "balanced": not self.faults},
            **{f"by_{kind}": self._by(kind) for kind in ("provider", "run", "model")},
        }

    def _by(self, kind: str) -> list[dict[str, Any]]:
        rows = (asdict(row) for row in self.accounts if row.kind == kind)
        return [{name: value for name, value in row.items() if name != "kind"} for row in rows]


_SUMS = """
    count(*), total(t.state = 'answered'), total(t.state = 'failed'), total(t.state = 'in_doubt'),
    total(t.state = 'void'), total(t.state = 'out'), total(t.input_tokens), total(t.output_tokens),
    total(t.spent_usd), total(CASE t.state WHEN 'out' THEN t.high_usd END)
"""
_BY = {
    "run": """(SELECT printf('%d (%s, %s)', r.id, r.command, strftime('%Y-%m-%d %H:%M', r.started_at, 'unixepoch'))
               FROM runs r WHERE r.started_at <= t.started_at ORDER BY r.id DESC LIMIT 1)""",
    "batch": "coalesce(t.shard, 'interactive')",
    "provider": "coalesce((SELECT q.provider FROM questions q WHERE q.id = t.question), 'forgotten photos')",
    "model": """coalesce((SELECT q.provider || ' ' || q.model FROM questions q WHERE q.id = t.question),
                         'forgotten photos')""",
}


def accounts(ledger: Ledger) -> Accounts:
    """Add everything up four ways."""
    total = _accounts(ledger, "total", "''")[0]
    parts = {kind: _accounts(ledger, kind, column) for kind, column in _BY.items()}
    found = [f"the sum by {kind} is not the total" for kind, rows in parts.items() if not _agrees(rows, total)]
    return Accounts(total, [row for rows in parts.values() for row in rows], [*found, *_loose_ends(ledger)])


def _accounts(ledger: Ledger, kind: str, column: str) -> list[Account]:
    group = "" if kind == "total" else "GROUP BY 1 ORDER BY min(t.started_at), 1"
    rows = ledger.connection.execute(f"SELECT {column} AS name, {_SUMS} FROM attempts t {group}")
    return [_account((kind, str(row[0]), *map(int, row[1:9]), row[9], row[10])) for row in rows]


def _account(values: tuple[Any, ...]) -> Account:
    return Account(**dict(zip(Account.__slots__, values, strict=True)))


def _agrees(rows: Sequence[Account], total: Account) -> bool:
    counted = all(
        sum(getattr(row, name) for row in rows) == getattr(total, name)
        for name in ("requests", "answered", "failed", "in_doubt", "not_served", "out", "input_tokens", "output_tokens")
    )
    return counted and abs(sum(row.spent_usd for row in rows) - total.spent_usd) < 1e-6


def _loose_ends(ledger: Ledger) -> list[str]:
    checks = {
        "photos count as described without an answer": "SELECT count(*) FROM works w WHERE w.state = 'answered'"
        " AND NOT EXISTS (SELECT 1 FROM answers a WHERE a.work = w.key)",
        "answers belong to photos that do not count as described": "SELECT count(*) FROM answers a"
        " JOIN works w ON w.key = a.work WHERE w.state <> 'answered' AND w.renewing = 0",
        "requests are out in batches that are closed": "SELECT count(*) FROM attempts t"
        " JOIN shards s ON s.id = t.shard WHERE t.state = 'out' AND s.state = 'closed'",
        "photos are out without a request": "SELECT count(*) FROM works w WHERE w.state = 'out'"
        " AND NOT EXISTS (SELECT 1 FROM attempts t WHERE t.work = w.key AND t.state = 'out')",
    }
    counted = ((words, ledger.connection.execute(question).fetchone()[0]) for words, question in checks.items())
    return [f"{count} {words}" for words, count in counted if count]
