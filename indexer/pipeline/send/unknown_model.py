"""A model that the service does not know: found out once, told with the nearest names, and never asked again."""

from __future__ import annotations

from indexer.domain.errors import NotFound, ProviderError, UnknownModel
from indexer.domain.nearest import did_you_mean
from indexer.domain.question import Question
from indexer.ledger.work import items
from indexer.pipeline.session import Session
from indexer.providers.seam import Catalogue

_SHOWN = 6


def explained(session: Session, question: Question, fault: ProviderError) -> ProviderError:
    """Return what a fault means: `UnknownModel` where the service has no model of that name, else the fault itself.

    "Not found" is said of files and of models alike, so the service is asked which models it has.
    """
    if not isinstance(fault, NotFound):
        return fault
    provider = session.provider(question.provider)
    try:
        names = provider.models() if isinstance(provider, Catalogue) else []
    except ProviderError:
        return fault
    if not names or question.model.removeprefix("models/") in names:
        return fault
    near = did_you_mean(question.model, names) or f"it has: {', '.join(sorted(names)[:_SHOWN])}"
    return UnknownModel(f"{question.provider} has no model {question.model!r}", hint=f"{near}; choose with --model")


def forget_work(session: Session, number: int) -> None:
    """Let nothing wait for an answer to the question `number` any more: with another model, it is another question."""
    with session.ledger.transaction("unknown model") as transaction:
        items.give_up_question(transaction, number)
