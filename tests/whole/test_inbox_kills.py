"""A few uploads and kills; `make inbox` plays 2,000 uploads and 50 kills."""

from __future__ import annotations

from pathlib import Path

from tests.whole.inbox_kills import play


def test_no_upload_is_lost_billed_twice_or_decided_otherwise(tmp_path: Path) -> None:
    """Adder, advancer and reader are killed at any moment; each goes on where it was."""
    assert play(tmp_path, uploads=24, kills=2, seed=3) == []
