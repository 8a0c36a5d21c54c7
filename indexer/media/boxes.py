"""The boxes of ISO media files (HEIC, AVIF, CR3) and of JPEG 2000, and what they say of the main picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from indexer.media.tiff import ByteSpan

_MAX_BOXES = 4096
_MAX_META = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its kind, and where its content begins and ends."""

    kind: bytes
    start: int
    stop: int


def boxes(data: ByteSpan, start: int = 0, stop: int | None = None) -> Iterator[Box]:
    """Yield the boxes between two places, as far as their lengths make sense."""
    end = len(data) if stop is None else min(stop, len(data))
    for _ in range(_MAX_BOXES):
        head = data[start : min(start + 16, end)]
        if len(head) < 8:
            return
        length, content = int.from_bytes(head[:4], "big"), start + 8
        if length == 1:
            length, content = int.from_bytes(head[8:16], "big"), start + 16
        last = start + length if length else end
        if last < content:
            return
        yield Box(head[4:8], content, last)
        start = last


def inside(data: ByteSpan, path: tuple[bytes, ...], start: int = 0, stop: int | None = None) -> Box | None:
    """Return the first box at the end of a path of kinds, such as (b"jp2h", b"colr")."""
    for box in boxes(data, start, stop):
        if box.kind == path[0]:
            found = box if len(path) == 1 else inside(data, path[1:], box.start, box.stop)
            if found:
                return found
    return None


def is_whole(data: ByteSpan) -> bool:
    """Return whether the boxes at the top fill the file to its end, as they do in one that was not cut short."""
    last = 0
    for box in boxes(data):
        last = box.stop
    return 0 < last == len(data)


@dataclass(frozen=True, slots=True)
class Cicp:
    """A colour space by the code points of ITU-T H.273."""

    primaries: int
    transfer: int


@dataclass(frozen=True, slots=True)
class Properties:
    """What a HEIC or AVIF file says of its main picture: colours by numbers, and a crop as eight numbers."""

    colours: Cicp | None = None
    crop: tuple[int, ...] = ()


def properties(data: ByteSpan) -> Properties:
    """Return what is said of the main picture; nothing where nothing is said that can be read."""
    meta = next((box for box in boxes(data) if box.kind == b"meta"), None)
    if meta is None or meta.stop - meta.start > _MAX_META:
        return Properties()
    content = data[meta.start + 4 : meta.stop]
    main = inside(content, (b"pitm",))
    held = inside(content, (b"iprp", b"ipco"))
    links = inside(content, (b"iprp", b"ipma"))
    if not (main and held and links):
        return Properties()
    item = int.from_bytes(content[main.start + 4 : main.stop], "big")
    known = list(boxes(content, held.start, held.stop))
    wanted = [known[at - 1] for at in _linked(content[links.start : links.stop], item) if 0 < at <= len(known)]
    colours: Cicp | None = None
    crop: tuple[int, ...] = ()
    for box in wanted:
        raw = content[box.start : box.stop]
        if box.kind == b"colr" and raw[:4] == b"nclx" and len(raw) >= 10:
            colours = Cicp(int.from_bytes(raw[4:6], "big"), int.from_bytes(raw[6:8], "big"))
        elif box.kind == b"clap" and len(raw) >= 32:
            crop = tuple(int.from_bytes(raw[at : at + 4], "big", signed=at % 8 == 0) for at in range(0, 32, 4))
    return Properties(colours, crop)


def crop_box(numbers: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Return the part of a picture that a `clap` box leaves, as left, top, right, bottom; None for all of it."""
    if len(numbers) != 8 or not all(numbers[1::2]):
        return None
    box: list[int] = []
    for length, part, off in zip(size, numbers[0:4:2], numbers[4:8:2], strict=True):
        wanted = part / numbers[1 + 2 * len(box)]
        box.append(round((length - wanted) / 2 + off / numbers[5 + 2 * len(box)]))
    left, top = box
    right, bottom = left + round(numbers[0] / numbers[1]), top + round(numbers[2] / numbers[3])
    inside_it = 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]
    return (left, top, right, bottom) if inside_it and (right - left, bottom - top) != size else None


def _linked(raw: bytes, item: int) -> list[int]:
    """Return the numbers of the properties, counted from 1, that belong to `item`."""
    wide_item, wide_index = raw[0] >= 1 if raw else False, bool(len(raw) > 3 and raw[3] & 1)
    at, id_size, index_size = 8, 4 if wide_item else 2, 2 if wide_index else 1
    for _ in range(min(int.from_bytes(raw[4:8], "big"), _MAX_BOXES)):
        number = int.from_bytes(raw[at : at + id_size], "big")
        count = raw[at + id_size] if at + id_size < len(raw) else 0
        at += id_size + 1
        if number == item:
            pieces = (raw[at + index_size * step : at + index_size * (step + 1)] for step in range(count))
            mask = 0x7FFF if wide_index else 0x7F
            return [int.from_bytes(piece, "big") & mask for piece in pieces]
        at += count * index_size
    return []


def mended(data: bytes) -> bytes | None:
    """Return a HEIC or AVIF without what decoders stumble over though the pixels are whole; None if there is nothing.

    That is an EXIF item that they would have to read (its type is renamed, no byte moves), and a brand so new that
    they do not know it.
    """
    changed = bytearray(data)
    listed = inside(data, (b"meta",))
    names = inside(data, (b"iinf",), listed.start + 4, listed.stop) if listed else None
    if names:
        changed[names.start : names.stop] = data[names.start : names.stop].replace(b"Exif\0", b"skip\0")
    if data[8:12] in (b"mif2", b"mif3"):
        changed[8:12] = b"mif1"
    return bytes(changed) if changed != data else None
