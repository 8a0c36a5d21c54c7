"""The keyless provider at work.

Its answers name their maker, so that a model that does understand replaces them later. It opens no socket.
"""

from __future__ import annotations

from indexer.domain.answer import Row
from indexer.domain.question import Question, Request
from indexer.providers.local import SPEC
from indexer.providers.spec import Opening


class Local:
    """Describes shape, light, colours and sharpness of a picture on this machine, for nothing."""

    spec = SPEC
    batches = None

    def ask(self, request: Request) -> Row:
        """Describe the picture of `request`; one that cannot be decoded is a `Failure`."""
        from indexer.providers.local.describe import describe  # Pillow, which a run without new photos does not need

        return describe(request)

    def model(self) -> str:
        """Return the default model."""
        return SPEC.default_model

    def check(self, question: Question) -> str:
        """Nothing is asked, so nothing is refused."""
        return ""

    def close(self) -> None:
        """Nothing is open."""


def open_local(opening: Opening) -> Local:
    """Return the provider; it needs nothing."""
    return Local()
