"""Writing without surprises."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.domain.errors import LibraryUnwritable
from indexer.storage.atomic import require_space


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path) -> None:
    """More than any disk holds is refused with what is missing and what to do; a byte is not."""
    require_space(tmp_path, 1)
    with pytest.raises(LibraryUnwritable, match="the next batch needs") as caught:
        require_space(tmp_path, 1 << 62)
    assert "make room" in caught.value.hint
