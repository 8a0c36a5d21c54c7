"""What is forgotten leaves no text behind in any file of the library."""

from __future__ import annotations

from pathlib import Path

from search import Index
from tests.fakes.gemini import Emulator
from tests.support.virtual import opened, samples

ASKED = {"provider": "gemini", "pilot": 0, "workers": 0}


def test_no_file_keeps_the_words_of_a_forgotten_photo(emulator: Emulator, tmp_path: Path) -> None:
    """Neither ledger nor log, nor table, its indexes or older versions; the others are found as before."""
    photos, folder = samples(tmp_path / "photos", 5), tmp_path / "library"
    with opened(folder, emulator) as ours:
        ours.index([photos], approve=True, **ASKED)
        going = photos / "coffee_cup.jpg"
        (row,) = [row for row in Index.open(folder).to_arrow().to_pylist() if row["path"] == str(going)]
        words = [row["description"].encode()[:60], str(going).encode()]
        assert any(words[0] in path.read_bytes() for path in folder.rglob("*") if path.is_file())
        before = len(Index.open(folder).search("photo", min_score=0, limit=0))
        ours.forget([going], confirm=True)
    left = [
        (path.relative_to(folder), word)
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".gz"
        for word in words
        if word in path.read_bytes()
    ]
    assert left == []
    assert len(Index.open(folder).search("photo", min_score=0, limit=0)) == before - 1


def test_a_library_without_photos_keeps_no_words_either(emulator: Emulator, tmp_path: Path) -> None:
    """All forgotten: the table is made anew, empty."""
    photos, folder = samples(tmp_path / "photos", 2), tmp_path / "library"
    with opened(folder, emulator) as ours:
        ours.index([photos], approve=True, **ASKED)
        words = Index.open(folder).to_arrow().to_pylist()[0]["description"].encode()[:60]
        ours.forget([photos], confirm=True)
        assert not any(words in path.read_bytes() for path in folder.glob("lancedb/**/*") if path.is_file())
        assert ours.index([photos], approve=True, **ASKED).files.described == 2
