"""Handles of files in one column."""

import pytest

from indexer.ledger import handles


@pytest.mark.parametrize(
    "kept",
    [
        (),
        ("files/abc",),
        ("files/abc", "files/def"),
        ("gs://bucket/my photos/captionary-1/input.jsonl", "gs://bucket/b"),
        ("https://service.example/results?page=%201",),
    ],
)
def test_handles_come_back_as_they_were_stored(kept: tuple[str, ...]) -> None:
    """A folder with a space in its name is one handle, not two."""
    assert handles.read(handles.stored(kept)) == kept


def test_a_column_of_an_older_version_is_read() -> None:
    """It holds handles with a space between, and none of an upload that has no file."""
    assert handles.read("files/abc files/def") == ("files/abc", "files/def")
    assert handles.stored(("", "files/abc")) == "files/abc"
