"""Questions that count as one: the same prompt and schema asked of several providers, as `--provider best` does.

What a partner has answered, or is being asked about, is not asked again; and counts are those of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from indexer.ledger.store import Ledger, Transaction


def family(ledger: Ledger, question: int | None) -> tuple[int, ...]:
    """Return the question and its partners, the question first; nothing for one that was never asked."""
    if question is None:
        return ()
    rows = ledger.connection.execute("SELECT partner FROM partners WHERE question = ? ORDER BY 1", (question,))
    return (question, *(int(row[0]) for row in rows))


def listed(numbers: Sequence[int]) -> str:
    """Return question numbers as they stand in SQL behind IN."""
    return f"({', '.join(str(int(number)) for number in numbers)})"


def join(transaction: Transaction, question: int, providers: Sequence[str]) -> None:
    """Let the question be partners with those of these providers that ask the same; with no others any more."""
    transaction.execute("DELETE FROM partners WHERE ?1 IN (question, partner)", (question,))
    marks = ",".join("?" * len(providers))
    rows = transaction.execute(
        f"""
        SELECT o.id FROM questions q JOIN questions o USING (prompt_version, schema_version)
        WHERE q.id = ? AND o.id <> q.id AND o.provider IN ({marks})
        """,
        (question, *providers),
    ).fetchall()
    for (other,) in rows:
        transaction.executemany("INSERT OR IGNORE INTO partners VALUES (?, ?)", [(question, other), (other, question)])
