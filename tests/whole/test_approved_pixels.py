"""Only what was approved goes out: a rendition that must be made again is made in a worker, of the same pixels."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from indexer.domain.errors import ApprovalRequired
from tests.fakes.gemini import Emulator
from tests.support.virtual import opened, samples

ASKED = {"provider": "gemini", "pilot": 0, "workers": 0}


@pytest.mark.parametrize("mode", ["batch", "interactive"])
def test_a_file_that_was_swapped_after_approval_is_not_sent(emulator: Emulator, mode: str, tmp_path: Path) -> None:
    """Neither another picture nor a bomb in its name; the others, and a copy elsewhere, are described."""
    photos = samples(tmp_path / "photos", 4)
    one, two, three, four = sorted(photos.glob("*.jpg"))
    (photos / "copy_of_two.jpg").write_bytes(two.read_bytes())
    library = tmp_path / "library"

    def swap(step: str) -> None:
        if step == "before commit approval":
            for path in library.glob("batches/renditions.sqlite3*"):
                path.write_bytes(b"damaged" * 1000)
            secret = io.BytesIO()
            Image.new("RGB", (300, 200), "purple").save(secret, "JPEG")
            one.write_bytes(secret.getvalue())
            two.unlink()
            three.write_bytes(three.read_bytes() + b"trailing")  # the same pixels

    with opened(library, emulator, step=swap) as ours:
        with pytest.raises(ApprovalRequired):
            ours.index([photos], approve=False, mode=mode, **ASKED)
        report = ours.index([photos], approve=True, mode=mode, **ASKED)
    served = emulator.books()["served"]
    assert served["batch"] + served["interactive"] == 3, report
    assert four.exists()
