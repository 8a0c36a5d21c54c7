"""What every face of a library shares: its folder, what was asked last, and how it stands."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from indexer import providers
from indexer.domain.mode import Mode
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE
from indexer.domain.question import Question
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger
from indexer.ledger.views import counts
from indexer.ledger.work import questions
from indexer.library.folder import Access
from indexer.pipeline.index_options import checked_paths
from indexer.pipeline.report import Report, RunFacts, make_report
from indexer.storage.paths import AnyPath, resolve_root, spellings


class Opened:
    """A library directory that was opened; it holds no lock and no file open between calls."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self.folder = access.folder

    def _last_asked(self, ledger: Ledger) -> tuple[Question, Mode]:
        last = counts.last_asked(ledger)
        if last:
            return questions.question_of(ledger, last.question), last.mode
        spec = self._access.spec(providers.automatic({}))
        return Question(spec.name, spec.default_model, DEFAULT_TEMPLATE, DEFAULT_SCHEMA), spec.modes[0]

    def _report(self, ledger: Ledger, asked: tuple[Question, Mode], scope: Scope, facts: RunFacts) -> Report:
        now = self._access.clock.time()
        spec = self._access.spec(asked[0].provider)
        return make_report(ledger, str(self.folder), asked, scope, replace(facts, now=now), spec)

    def _described(self, ledger: Ledger) -> int:
        question, _ = self._last_asked(ledger)
        return counts.count_works(ledger, Scope(), questions.known_question(ledger, question)).described


def scope_of(paths: Sequence[AnyPath] | None) -> Scope:
    """Return the whole library, or what lies at `paths`; one that is not there as it is spelled, in any spelling."""
    if paths is None:
        return Scope()
    roots = [resolve_root(path) for path in checked_paths(paths)]
    return Scope(tuple(one for root in roots for one in ((root,) if os.path.lexists(root) else spellings(root))))
