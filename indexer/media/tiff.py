"""The structure of TIFF and BigTIFF: entries in directories. EXIF is made of it, and most RAW files are.

Everything here reads bytes that nobody vouches for. What does not fit is left out; nothing but an `OSError` of the
file itself is raised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import BinaryIO, Literal, Protocol

MAX_VALUE_BYTES = 4 * 2**20
"""Values longer than this are not read: no caption and no list of previews is."""
MAX_ENTRY_BYTES = 128 * 2**20
"""Entries that claim more than this are left out; a full-size preview may well be one entry."""
MAX_NUMBERS = 65_536
MAX_ENTRIES = 512
MAX_DIRECTORIES = 32
SUB_DIRECTORIES = 0x14A

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 13: 4, 16: 8, 17: 8, 18: 8, 129: 1}
_SIGNED = frozenset({6, 8, 9, 10, 17})
_RATIONAL = frozenset({5, 10})

Order = Literal["little", "big"]


class ByteSpan(Protocol):
    """Bytes that can be cut, whether they lie in memory or in a file."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


class FileSpan:
    """An open file seen as bytes: a cut reads just that part."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._length = stream.seek(0, 2)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice, /) -> bytes:
        start, stop, _ = part.indices(self._length)
        self._stream.seek(start)
        return self._stream.read(max(stop - start, 0))


@dataclass(frozen=True, slots=True)
class TiffEntry:
    """One entry of a directory: its type, where its value lies, and the byte order to read it by.

    Values are cut out when they are asked for: a directory may claim more of them than any file should have read.
    """

    type: int
    source: ByteSpan
    start: int
    length: int
    order: Order

    @property
    def raw(self) -> bytes:
        """The bytes of the value, empty when it is too long to read or the file ends before it does."""
        if self.length > MAX_VALUE_BYTES:
            return b""
        value = self.source[self.start : self.start + self.length]
        return value if len(value) == self.length else b""

    def numbers(self) -> tuple[Fraction, ...]:
        """The values as exact numbers; rationals with a zero below are left out."""
        size = _SIZES[self.type]
        raw = self.raw[: size * MAX_NUMBERS]
        pieces = [raw[at : at + size] for at in range(0, len(raw) - size + 1, size)]
        if self.type not in _RATIONAL:
            return tuple(Fraction(self._integer(piece)) for piece in pieces)
        pairs = [(self._integer(piece[:4]), self._integer(piece[4:])) for piece in pieces]
        return tuple(Fraction(above, below) for above, below in pairs if below)

    def _integer(self, raw: bytes) -> int:
        return int.from_bytes(raw, self.order, signed=self.type in _SIGNED)


@dataclass(frozen=True, slots=True)
class Directory:
    """One image file directory: entries by tag, and where the next one lies (0: nowhere)."""

    entries: Mapping[int, TiffEntry] = field(default_factory=dict)
    next: int = 0

    def raw(self, tag: int) -> bytes:
        """The bytes of a tag, empty when it is not there."""
        entry = self.entries.get(tag)
        return entry.raw if entry else b""

    def numbers(self, tag: int) -> tuple[Fraction, ...]:
        """All numbers of a tag."""
        entry = self.entries.get(tag)
        return entry.numbers() if entry else ()

    def integer(self, tag: int) -> int | None:
        """The first number of a tag when it is whole."""
        numbers = self.numbers(tag)
        return int(numbers[0]) if numbers and numbers[0].denominator == 1 else None


def byte_order(data: ByteSpan) -> Order | None:
    """Return the byte order of a TIFF structure or one of its RAW dialects, None when `data` is neither."""
    if len(data) < 8:
        return None
    start = data[:2]
    return "little" if start == b"II" else "big" if start == b"MM" else None


@dataclass(frozen=True, slots=True)
class _Shape:
    """How wide the numbers of a directory are: its count of entries, one entry, and an offset."""

    count: int
    entry: int
    offset: int


_CLASSIC, _BIG = _Shape(2, 12, 4), _Shape(8, 20, 8)


def _shape(data: ByteSpan, order: Order) -> _Shape:
    return _BIG if int.from_bytes(data[2:4], order) == 43 else _CLASSIC


def first_offset(data: ByteSpan) -> int:
    """Return where the first directory lies, 0 when `data` is no TIFF structure."""
    order = byte_order(data)
    if order is None:
        return 0
    return int.from_bytes(data[8:16] if _shape(data, order) is _BIG else data[4:8], order)


def first_directory(data: ByteSpan) -> Directory:
    """Return the first directory of a TIFF structure, empty when `data` is none."""
    return directory(data, first_offset(data))


def directory(data: ByteSpan, offset: int) -> Directory:
    """Return the directory at `offset`, as much of it as `data` holds."""
    order = byte_order(data)
    if order is None or offset < 8:
        return Directory()
    shape = _shape(data, order)
    count = min(int.from_bytes(data[offset : offset + shape.count], order), MAX_ENTRIES)
    start, length = offset + shape.count, shape.entry * count
    block = data[start : start + length + shape.offset]
    entries: dict[int, TiffEntry] = {}
    for at in range(0, min(length, len(block) - shape.entry + 1), shape.entry):
        entry = _entry(data, block[at : at + shape.entry], order)
        if entry is not None:
            entries.setdefault(int.from_bytes(block[at : at + 2], order), entry)
    return Directory(entries, int.from_bytes(block[length:], order))


def directories(data: ByteSpan) -> Iterator[Directory]:
    """Yield the chain of directories and their sub-directories, each once however they loop."""
    waiting = [first_offset(data)] if byte_order(data) else []
    seen: set[int] = set()
    while waiting and len(seen) < MAX_DIRECTORIES:
        offset = waiting.pop(0)
        if offset in seen:
            continue
        seen.add(offset)
        found = directory(data, offset)
        yield found
        waiting += [int(number) for number in found.numbers(SUB_DIRECTORIES)[:MAX_DIRECTORIES]]
        waiting.append(found.next)


def _entry(data: ByteSpan, raw: bytes, order: Order) -> TiffEntry | None:
    """Read one entry; values longer than an offset lie elsewhere in `data`."""
    width = (len(raw) - 4) // 2
    kind = int.from_bytes(raw[2:4], order)
    length = _SIZES.get(kind, 0) * int.from_bytes(raw[4 : 4 + width], order)
    if not 0 < length <= MAX_ENTRY_BYTES:
        return None
    if length <= width:
        return TiffEntry(kind, raw, 4 + width, length, order)
    return TiffEntry(kind, data, int.from_bytes(raw[4 + width :], order), length, order)
