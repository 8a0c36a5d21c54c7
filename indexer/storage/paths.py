"""Paths are bytes inside; here they become text for the table and the terminal, and here roots come from.

A file system allows any bytes but `/` and NUL in a name. The text form must be unique and reversible, and
leave an ordinary path as it is: bytes that are not UTF-8 are written `\\xNN` (two lower-case hex digits, 80..ff).
A name that itself spells such an escape, or `\\x5c`, has its backslash written `\\x5c`; others stay.
"""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from indexer.domain.characters import CONTROLS, DIRECTIONS, HALVES, SEPARATORS
from indexer.domain.errors import MissingPath, UsageError

AnyPath = str | bytes | os.PathLike[str]
_ESCAPE = re.compile(r"\\x(5c|[89a-f][0-9a-f])")
_SURROGATE = re.compile("[\udc80-\udcff]")
_ADDRESS = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*)://")
_STORES = (b"s3", b"gs", b"az")
_ODD_PARTS = frozenset({b"", b".", b".."})
_CONTROL = re.compile(f"[{CONTROLS}{SEPARATORS}{HALVES}{DIRECTIONS}]")
_CHUNK = 1 << 16
_LONGEST_PATH = 4096
_LONGEST_LISTED = 1 << 20
"""More than any path has; what is longer in a list is no list of paths."""


def to_text(path: bytes) -> str:
    """Return the one text form of `path`; different paths have different texts."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        text = path.decode("utf-8", "surrogateescape")
        return _SURROGATE.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", _guarded(text))
    return _guarded(text) if "\\x" in text else text


def _guarded(text: str) -> str:
    return _ESCAPE.sub(r"\\x5cx\1", text)


def to_bytes(text: str) -> bytes:
    """Return the path whose text form is `text`."""
    if "\\x" not in text:
        return text.encode("utf-8", "surrogateescape")
    escaped = _ESCAPE.sub(lambda found: "\\" if found[1] == "5c" else chr(0xDC00 + int(found[1], 16)), text)
    return escaped.encode("utf-8", "surrogateescape")


def kept_bytes(path: bytes) -> bytes | None:
    """Return what column `path_bytes` holds: None where the text form is plain UTF-8, else the path."""
    return None if to_text(path).encode() == path else path


def shown(path: AnyPath) -> str:
    """Return the text form of `path` as a person sees it: on one line, nothing in it that a terminal would obey."""
    return for_terminal(to_text(os.fsencode(path)))


def for_terminal(text: str) -> str:
    """Return `text` on one line, with visible escapes for what a terminal would obey."""
    return text if text.isprintable() else _CONTROL.sub(_visible, text)


def _visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def resolve_root(path: str | bytes | os.PathLike[str]) -> bytes:
    """Return `path` absolute, with `~` expanded in text and symlinks followed; it need not exist.

    Bytes are taken as they are, and so is `./~`: bytes come from a shell or a list, which expand `~` or mean it. An
    address in object storage, such as `s3://bucket/key`, stands for itself. Raises `UsageError` for any other address.
    """
    raw = path if isinstance(path, bytes) else os.fsencode(os.path.expanduser(path))  # noqa: PTH111
    if remote := _ADDRESS.match(raw):
        return _resolve_address(raw, remote[1].lower())
    if not raw or b"\0" in raw:
        raise UsageError(f"not a path: {shown(raw)!r}", hint="give a folder or a picture file")
    return os.path.realpath(raw)


def resolve_new(path: str | bytes | os.PathLike[str]) -> bytes:
    """As `resolve_root` for a file to be made: its folder may lie behind a link, but a link is not a new file."""
    whole = resolve_root(path)
    if is_address(whole):
        return whole
    raw = path if isinstance(path, bytes) else os.fsencode(os.path.expanduser(path))  # noqa: PTH111
    folder, name = os.path.split(raw.rstrip(b"/"))
    return os.path.join(os.path.realpath(folder), name) if name not in (b"", b".", b"..") else whole  # noqa: PTH118


def is_address(path: bytes) -> bool:
    """Say whether `path`, which is resolved, is the address of an object or of several: `s3://bucket/key`."""
    return path.startswith((b"s3://", b"gs://", b"az://"))


def parent(path: bytes) -> bytes:
    """Return the folder of `path`; that of an object is what its key has before the last slash."""
    return path.rpartition(b"/")[0] if is_address(path) else os.path.dirname(path)  # noqa: PTH120


def _resolve_address(raw: bytes, scheme: bytes) -> bytes:
    shown = for_terminal(to_text(raw))
    if scheme not in _STORES:
        raise UsageError(
            f"this kind of address is not supported: {shown}",
            hint="s3://BUCKET, gs://BUCKET, az://CONTAINER, or copy or mount it and give the folder's path",
        )
    rest = raw[len(scheme) + 3 :].rstrip(b"/")
    if b"\0" in rest or not _ODD_PARTS.isdisjoint(rest.split(b"/")):
        raise UsageError(f"not an address of objects: {shown!r}", hint="for example: s3://bucket/photos")
    return scheme + b"://" + rest


def spellings(path: bytes) -> tuple[bytes, ...]:
    """Return `path` as it is, and with its accents in one character with their letters (NFC) and apart (NFD).

    Systems differ in how they write a name, and a person cannot see the difference.
    """
    if path.isascii() or len(path) > _LONGEST_PATH:
        return (path,)
    try:
        text = path.decode()
    except UnicodeDecodeError:
        return (path,)
    return tuple(dict.fromkeys((path, *(unicodedata.normalize(form, text).encode() for form in ("NFC", "NFD")))))


def is_inside(path: bytes, root: bytes) -> bool:
    """Say whether `path` is `root` or lies below it; both absolute and normal."""
    return path == root or path.startswith(root.rstrip(b"/") + b"/")


def files_from(stream: BinaryIO, *, nul: bool = False) -> Iterator[bytes]:
    """Yield the paths listed in `stream`, one a line (CR LF too), or ended by NUL; empty ones are skipped.

    A list of lines may begin with a mark of its encoding, as programs of Windows write it: UTF-8 or UTF-16.
    """
    mark = b"\0" if nul else b"\n"
    rest = b""
    for chunk in iter(lambda: stream.read(_CHUNK), b"") if nul else _unmarked(stream):
        *whole, rest = (rest + chunk).split(mark)
        yield from _named(whole, nul)
        if len(rest) > _LONGEST_LISTED:
            raise UsageError(
                "the list of paths holds one that is longer than any path",
                hint="end each with a NUL byte" if nul else "write one a line; those that end with a NUL byte need -0",
            )
    yield from _named([rest], nul)


def _unmarked(stream: BinaryIO) -> Iterator[bytes]:
    """Yield a list of lines without the mark of its encoding, as UTF-8 where that is UTF-16."""
    chunk = stream.read(_CHUNK)
    if chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        decoder = codecs.getincrementaldecoder("utf-16")("replace")
        while chunk:
            yield decoder.decode(chunk).encode("utf-8", "replace")
            chunk = stream.read(_CHUNK)
        yield decoder.decode(b"", final=True).encode("utf-8", "replace")
        return
    yield chunk.removeprefix(codecs.BOM_UTF8)
    yield from iter(lambda: stream.read(_CHUNK), b"")


def _named(parts: list[bytes], nul: bool) -> Iterator[bytes]:
    for part in parts:
        path = part if nul else part.removesuffix(b"\r")
        if path:
            yield path


def refuse_missing(paths: Iterable[bytes]) -> None:
    """Raise `MissingPath` for the first path that does not exist."""
    for path in paths:
        if not os.path.lexists(resolve_root(path)):
            raise MissingPath(
                f"there is no such file or folder: {shown(path)}",
                hint="check the spelling, or plug the drive in",
            )
