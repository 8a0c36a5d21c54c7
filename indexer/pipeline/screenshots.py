"""Pictures that are all text, where nobody reads it: told once, when they come, with what would read them."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.ledger.store import Ledger
from indexer.ledger.views import counts
from indexer.media.text import text_installed
from indexer.providers.spec import Rank, Spec

UNREAD = (
    "pictures that are named like screenshots, whose text is not read: {count:,}; to read it: pip install '.[ocr]' in "
    "the folder of Captionary, then index again"
)


def unread(ledger: Ledger, spec: Spec, run: int) -> Iterator[str]:
    """Yield a note where `run` saw screenshots for the first time that will be described by their pixels alone."""
    if spec.rank <= Rank.PIXELS and not text_installed():
        count = counts.count_screenshots(ledger, run)
        if count:
            yield UNREAD.format(count=count)
