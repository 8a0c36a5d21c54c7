"""Paths are bytes: their text form is unique, reversible, and harmless on a terminal."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.domain.errors import UsageError
from indexer.storage.paths import (
    files_from,
    for_terminal,
    is_inside,
    kept_bytes,
    resolve_root,
    spellings,
    to_bytes,
    to_text,
)

# Chosen so that escapes, halves of escapes and broken UTF-8 turn up all the time.
_TRICKY = st.lists(st.sampled_from([b"\\", b"x", b"5c", b"f", b"8", b"\xff", b"\xc3", b"\xa9", b"a", b"/", b"\\x"]))
_PATHS = st.binary(max_size=40) | _TRICKY.map(b"".join)


@given(_PATHS)
def test_text_goes_back_to_the_same_bytes(path: bytes) -> None:
    """Whatever bytes a file system gave, the text form leads back to them."""
    assert to_bytes(to_text(path)) == path


@given(_PATHS, _PATHS)
def test_different_paths_have_different_texts(one: bytes, other: bytes) -> None:
    """Two files never share a row."""
    assert (to_text(one) == to_text(other)) == (one == other)


@given(_PATHS)
def test_bytes_are_kept_just_where_the_text_is_not_the_path(path: bytes) -> None:
    """`path_bytes` is null for plain UTF-8, and the truth otherwise."""
    assert kept_bytes(path) == (None if to_text(path).encode() == path else path)


@given(st.text(st.characters(exclude_characters="\\", exclude_categories=["Cs"])))
def test_an_ordinary_path_stays_as_it_is(path: str) -> None:
    """UTF-8 without a backslash is its own text."""
    assert to_text(path.encode()) == path
    assert kept_bytes(path.encode()) is None


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"/a/caf\xc3\xa9.jpg", "/a/café.jpg"),
        (b"/a/caf\xe9.jpg", "/a/caf\\xe9.jpg"),
        (b"/a/caf\\xe9.jpg", "/a/caf\\x5cxe9.jpg"),
        (b"/a/\\x5c", "/a/\\x5cx5c"),
        (b"C:\\x\\xmas.jpg", "C:\\x\\xmas.jpg"),
        (b"/a/\\x41.jpg", "/a/\\x41.jpg"),
        (b"/a/\\xE9.jpg", "/a/\\xE9.jpg"),
        (b"\xed\xb3\xbf", "\\xed\\xb3\\xbf"),
        (b"new\nline", "new\nline"),
    ],
)
def test_text_form(path: bytes, text: str) -> None:
    """Only bytes that are not UTF-8 are escaped, and names that would read as such an escape."""
    assert to_text(path) == text


@given(st.text())
def test_a_terminal_is_given_nothing_to_obey(text: str) -> None:
    """No control character, line end, lone surrogate or text reordering passes, and nothing else is touched."""
    shown = for_terminal(text)
    assert not any(ord(sign) < 0x20 or 0x7F <= ord(sign) < 0xA0 for sign in shown)
    assert not set(shown) & set("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    shown.encode()
    if text.isprintable():
        assert shown == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mred", "a\\x1b[31mred"),
        ("two\nlines\tand\rmore", "two\\x0alines\\x09and\\x0dmore"),
        ("photo\u202egpj.exe", "photo\\u202egpj.exe"),
        ("\x9b31m\x7f", "\\x9b31m\\x7f"),
        ("\udcff", "\\udcff"),
        ("👩‍👩‍👧 Ünï שלום", "👩‍👩‍👧 Ünï שלום"),
    ],
)
def test_for_terminal(text: str, shown: str) -> None:
    """Controls become visible escapes; joined emoji and other scripts stay."""
    assert for_terminal(text) == shown


def test_the_root_is_resolved_and_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links in the root are followed, dots go, and a path that is not there is no error yet."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    real = os.fsencode((tmp_path / "real").resolve())
    assert resolve_root("link") == resolve_root(b"./link/../link/") == resolve_root(Path("link")) == real
    assert resolve_root("link/later") == real + b"/later"


def test_home_is_expanded_in_text_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` means home from Python; a list or a shell that hands over bytes means the name."""
    monkeypatch.setenv("HOME", str(tmp_path.resolve()))
    monkeypatch.chdir(tmp_path)
    home = os.fsencode(tmp_path.resolve())
    assert resolve_root("~/Photos") == home + b"/Photos"
    assert resolve_root(b"~/Photos") == home + b"/~/Photos"


@pytest.mark.parametrize(
    ("address", "resolved"),
    [
        ("s3://bucket/a", b"s3://bucket/a"),
        ("gs://b", b"gs://b"),
        ("S3://b/", b"s3://b"),
        (b"az://c/\xff/", b"az://c/\xff"),
    ],
)
def test_an_address_in_object_storage_stands_for_itself(address: str | bytes, resolved: bytes) -> None:
    """It is not looked for in the current folder, and a slash at its end means nothing."""
    assert resolve_root(address) == resolved


@pytest.mark.parametrize("address", ["https://example.org/a.jpg", b"file:///home", "hdfs://b"])
def test_any_other_address_is_refused_in_words(address: str | bytes) -> None:
    """Remote places are named as such, not looked for in the current folder."""
    with pytest.raises(UsageError, match="not supported") as caught:
        resolve_root(address)
    assert caught.value.hint


@pytest.mark.parametrize("path", ["", b"", b"a\0b"])
def test_what_is_no_path_is_refused(path: str | bytes) -> None:
    """An empty path would mean the current folder, which nobody asked for."""
    with pytest.raises(UsageError, match="not a path"):
        resolve_root(path)


@pytest.mark.parametrize(
    ("path", "root", "inside"),
    [
        (b"/a/b", b"/a", True),
        (b"/a", b"/a", True),
        (b"/ab", b"/a", False),
        (b"/a", b"/a/b", False),
        (b"/a", b"/", True),
        (b"/", b"/", True),
    ],
)
def test_is_inside(path: bytes, root: bytes, inside: bool) -> None:
    """Inside is by whole names, not by letters."""
    assert is_inside(path, root) is inside


def test_a_name_has_two_spellings_where_it_has_accents() -> None:
    """As it is comes first; what is plain or no UTF-8 has one."""
    composed, apart = "/caf\u00e9".encode(), "/cafe\u0301".encode()
    assert spellings(composed) == (composed, apart)
    assert spellings(apart) == (apart, composed)
    assert spellings(b"/plain") == (b"/plain",)
    assert spellings(b"/caf\xe9") == (b"/caf\xe9",)


@pytest.mark.parametrize(
    ("listed", "nul", "paths"),
    [
        (b"a\nb\r\n\nc", False, [b"a", b"b", b"c"]),
        (b"a\nb\0 c\0\0", True, [b"a\nb", b" c"]),
        (b"icon\r\0", True, [b"icon\r"]),
        (b"", False, []),
        (b"\xef\xbb\xbfa\r\nb", False, [b"a", b"b"]),
        ("caf\u00e9\r\nb\r\n".encode("utf-16"), False, ["caf\u00e9".encode(), b"b"]),
        (b"\xfe\xff" + "caf\u00e9\nb".encode("utf-16-be"), False, ["caf\u00e9".encode(), b"b"]),
        (b"\xef\xbb\xbfa\0", True, [b"\xef\xbb\xbfa"]),
        (b"x" * 200_000 + b"\ny\n", False, [b"x" * 200_000, b"y"]),
    ],
)
def test_files_from(listed: bytes, nul: bool, paths: list[bytes]) -> None:
    """A list ends its names by line ends or by NUL; with NUL every other byte belongs to the name."""
    assert list(files_from(io.BytesIO(listed), nul=nul)) == paths


class _Endless(io.RawIOBase):
    """The letter x, for as long as somebody reads."""

    def read(self, size: int = -1, /) -> bytes:
        return b"x" * size


@pytest.mark.parametrize(("nul", "hint"), [(False, "need -0"), (True, "with a NUL byte")])
def test_what_is_no_list_of_paths_is_not_read_for_ever(nul: bool, hint: str) -> None:
    """In the place of a list a file without line ends, or a device: a megabyte is enough to know."""
    with pytest.raises(UsageError, match="longer than any path") as caught:
        list(files_from(_Endless(), nul=nul))  # type: ignore[arg-type]
    assert hint in caught.value.hint
