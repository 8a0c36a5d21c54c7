"""Uploads in the ledger: what was added a moment ago waits until its bytes lie at their place."""

from __future__ import annotations

import os
from pathlib import Path

from indexer.domain.question import Versions
from indexer.ledger.store import Ledger
from indexer.ledger.views import uploads, verdicts

_ASKED = Versions("prompt", "schema")


def test_an_upload_whose_bytes_are_only_in_the_ledger_does_not_stand_yet(tmp_path: Path) -> None:
    """Added between two steps of a look, it is neither crawled nor judged by a file that is not there yet."""
    ledger = Ledger.open(tmp_path)
    uploads.add(ledger, "one", "abc", os.fsencode(tmp_path / "a"), b"bytes")
    assert uploads.unread(ledger) == []
    assert list(verdicts.standing(ledger, _ASKED)) == list(verdicts.standing(ledger, _ASKED, decided=True)) == []
    assert [found.id for found in verdicts.standing(ledger, _ASKED, only="one")] == ["one"]
    uploads.clear_intake(ledger, ["one"])
    assert uploads.unread(ledger) == [os.fsencode(tmp_path / "a")]
    assert [found.id for found in verdicts.standing(ledger, _ASKED)] == ["one"]
    ledger.close()
