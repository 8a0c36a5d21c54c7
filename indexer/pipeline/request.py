"""One call of `index`, with every default resolved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from indexer.crawl.crawler import CrawlOptions
from indexer.domain.mode import Mode
from indexer.domain.plan import Plan
from indexer.domain.question import Question
from indexer.ledger.scope import Scope
from indexer.pipeline.gates import Gate

Approve = Callable[[Plan], bool]


@dataclass(frozen=True, slots=True)
class Ask:
    """One call of `index`: where, what, of whom, and within which bounds.

    `scope` are the files, `question` what is asked; the ledger numbers a question when something is first asked.
    `one_per_burst` asks about one photo of each burst; False also asks about those that inherit, None leaves them so.
    `deadline` is seconds from the approval. `refresh` asks again where facts given to the prompt have changed; `names`
    are what people call the prompt and the schema. It is not `openable` while the provider's key is missing. `hedge` is
    who is asked as well about photos that would miss the deadline; what `escalates` may leave a batch for flex before.
    """

    roots: tuple[bytes, ...]
    question: Question
    mode: Mode
    crawl: CrawlOptions
    digest_version: int
    pilot: int | None = None
    budget: float | None = None
    deadline: float | None = None
    wait: bool = True
    gates: tuple[Gate, ...] = ()
    refresh: bool = False
    one_per_burst: bool | None = None
    names: tuple[str, str] = ("", "")
    openable: bool = True
    hedge: Ask | None = None
    escalates: bool = False

    @property
    def scope(self) -> Scope:
        """The files that are asked about."""
        return Scope(self.roots)
