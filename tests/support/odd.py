"""Builders of files that are legal, rare and often read wrongly: odd TIFFs, Photoshop documents, RAW files, boxes."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from PIL import Image, ImageChops

from tests.support.hostile import saved, scene


@dataclass(frozen=True)
class TiffShape:
    """How the samples of a TIFF shall lie."""

    bits: int = 16
    meaning: int = 2
    planar: bool = False
    big: bool = False
    packed: bool = False
    predictor: int = 1
    tiled: bool = False
    extra: tuple[int, ...] = ()
    orientation: int = 1
    huge: bool = False  # BigTIFF


def samples(image: Image.Image, shape: TiffShape) -> list[list[int]]:
    """The pixels of a picture as one list a channel, spread to the depth asked for."""
    most = 2**shape.bits - 1
    if shape.meaning in (0, 1):
        bands = [list(image.convert("L").tobytes())]
    elif shape.meaning == 5:
        bands = [list(band.tobytes()) for band in image.convert("CMYK").split()]
    else:
        bands = [list(band.tobytes()) for band in image.split()]
    bands = [[round(value * most / 255) for value in band] for band in bands]
    if shape.meaning == 0:
        bands = [[most - value for value in band] for band in bands]
    return bands + [[most] * len(bands[0]) for _ in shape.extra]


def _row(values: list[int], shape: TiffShape, step: int) -> bytes:
    if shape.predictor == 2:
        values = [(v - (values[i - step] if i >= step else 0)) % 2**shape.bits for i, v in enumerate(values)]
    if shape.bits % 8 == 0:
        return b"".join(value.to_bytes(shape.bits // 8, "big" if shape.big else "little") for value in values)
    bits = "".join(f"{value:0{shape.bits}b}" for value in values)
    return int(bits.ljust((len(bits) + 7) // 8 * 8, "0"), 2).to_bytes((len(bits) + 7) // 8, "big")


def _pieces(image: Image.Image, shape: TiffShape) -> list[bytes]:
    """The strips, or the four tiles, of all planes."""
    bands = samples(image, shape)
    planes = [[band] for band in bands] if shape.planar else [bands]
    wide, high = image.size
    found = []
    for plane in planes:
        step = len(plane)
        boxes = [(0, y, wide, min(y + 20, high)) for y in range(0, high, 20)]
        if shape.tiled:
            boxes = [(x, y, x + 64, y + 48) for y in range(0, high, 48) for x in range(0, wide, 64)]
        for left, top, right, bottom in boxes:
            rows = []
            for y in range(top, bottom):
                at = [min(y, high - 1) * wide + min(x, wide - 1) for x in range(left, right)]
                rows.append(_row([band[place] for place in at for band in plane], shape, step))
            found.append(zlib.compress(b"".join(rows)) if shape.packed else b"".join(rows))
    return found


def tiff(image: Image.Image, shape: TiffShape, more: dict[int, list[int]] | None = None) -> bytes:
    """A TIFF of `image` in the given shape."""
    order, channels = (">" if shape.big else "<"), len(samples(image, shape))
    pieces = _pieces(image, shape)
    tags: dict[int, list[int]] = {
        0x100: [image.width],
        0x101: [image.height],
        0x102: [shape.bits] * channels,
        0x103: [8 if shape.packed else 1],
        0x106: [shape.meaning],
        0x112: [shape.orientation],
        0x115: [channels],
        0x11C: [2 if shape.planar else 1],
        **({0x13D: [2]} if shape.predictor == 2 else {}),
        **({0x152: list(shape.extra)} if shape.extra else {}),
        **({0x142: [64], 0x143: [48]} if shape.tiled else {0x116: [20]}),
        **(more or {}),
    }
    offsets, counts = (0x144, 0x145) if shape.tiled else (0x111, 0x117)
    tags[offsets], tags[counts] = [0] * len(pieces), [len(piece) for piece in pieces]
    start = 16 + (8 + 20 * len(tags) + 8 if shape.huge else 2 + 12 * len(tags) + 4)
    start += sum(8 * len(values) for values in tags.values())
    for at, piece in enumerate(pieces):
        tags[offsets][at] = start + sum(map(len, pieces[:at]))
        assert piece
    return _file(tags, order, start, shape.huge) + b"".join(pieces)


def _file(tags: dict[int, list[int]], order: str, start: int, huge: bool) -> bytes:
    width = 8 if huge else 4
    entry, number = ("HHQ", "Q") if huge else ("HHI", "I")
    head = (b"MM" if order == ">" else b"II") + struct.pack(f"{order}H", 43 if huge else 42)
    head += struct.pack(f"{order}HHQ", 8, 0, 16) if huge else struct.pack(f"{order}I", 16) + bytes(8)
    body, tail = struct.pack(f"{order}{number if huge else 'H'}", len(tags)), b""
    beside = 16 + len(body) + (4 + 2 * width) * len(tags) + width
    for tag, values in sorted(tags.items()):
        short = max(values) < 65536 and tag not in (0x111, 0x117, 0x144, 0x145)
        raw = struct.pack(f"{order}{len(values)}{'H' if short else 'I'}", *values)
        body += struct.pack(f"{order}{entry}", tag, 3 if short else 4, len(values))
        if len(raw) <= width:
            body += raw.ljust(width, b"\0")
        else:
            body += struct.pack(f"{order}{number}", beside + len(tail))
            tail += raw
    return (head + body + bytes(width) + tail).ljust(start, b"\0")


def psd(image: Image.Image, *, mode: int = 3, depth: int = 8, large: bool = False, packed: bool = False) -> bytes:
    """A Photoshop document: no layers, a composite."""
    wanted = {1: "L", 3: "RGB", 4: "CMYK"}[mode]
    bands = list(image.convert(wanted).split())
    if mode == 4:
        bands = [ImageChops.invert(band) for band in bands]
    rows = [
        bytes(
            part for value in band.tobytes()[y * image.width : (y + 1) * image.width] for part in [value] * (depth // 8)
        )
        for band in bands
        for y in range(image.height)
    ]
    head = b"8BPS" + struct.pack(">H6xHIIHH", 2 if large else 1, len(bands), image.height, image.width, depth, mode)
    head += bytes(4) + bytes(4) + bytes(8 if large else 4)
    if not packed:
        return head + b"\0\0" + b"".join(rows)
    runs = [b"".join(bytes((len(part) - 1,)) + part for part in _split(row)) for row in rows]
    lengths = b"".join(len(run).to_bytes(4 if large else 2, "big") for run in runs)
    return head + b"\0\1" + lengths + b"".join(runs)


def _split(row: bytes) -> list[bytes]:
    return [row[at : at + 128] for at in range(0, len(row), 128)]


def box(kind: bytes, content: bytes) -> bytes:
    """A box of an ISO media file."""
    return struct.pack(">I", 8 + len(content)) + kind + content


def cr3(preview: bytes, orientation: int = 1) -> bytes:
    """A CR3 as Canon's cameras lay it out: metadata in `moov`, a preview in a box of its own, sensor data behind."""
    camera = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x112, 3, 1, orientation) + bytes(4)
    metadata = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48") + box(b"CMT1", camera)
    shown = bytes(6) + struct.pack(">HHHHI", 1, 600, 400, 1, len(preview)) + preview
    preview_box = bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16") + bytes(8) + box(b"PRVW", shown)
    start = box(b"ftyp", b"crx \0\0\0\1crx isom")
    return start + box(b"moov", box(b"uuid", metadata)) + box(b"uuid", preview_box) + box(b"mdat", bytes(5000))


def rw2(preview: bytes, orientation: int = 1) -> bytes:
    """An RW2 as Panasonic's cameras lay it out: a directory that names its JPEG, sensor data behind."""
    start = 24 + 2 + 2 * 12 + 4
    entries = struct.pack("<HHII", 0x2E, 7, len(preview), start) + struct.pack("<HHIHH", 0x112, 3, 1, orientation, 0)
    return b"IIU\0\x18\0\0\0" + bytes(16) + struct.pack("<H", 2) + entries + bytes(4) + preview + bytes(5000)


def crw(preview: bytes, degrees: int = 0) -> bytes:
    """A CRW: heaps, each with its table at the end."""
    info = struct.pack("<IIfiIII", 600, 400, 1.0, degrees, 24, 24, 0)
    parts = {0x1810: info, 0x080A: b"Canon\0Canon EOS D60\0", 0x180E: struct.pack("<III", 1030000000, 0, 0)}
    values, entries = b"", struct.pack("<H", len(parts))
    for tag, value in parts.items():
        entries += struct.pack("<HII", tag, len(value), len(values))
        values += value
    inner = values + entries + struct.pack("<I", len(values))
    raw = b"\0" * 64
    heap = raw + preview + inner
    table = struct.pack("<H", 3) + struct.pack("<HII", 0x2005, 64, 0)
    table += struct.pack("<HII", 0x2007, len(preview), 64) + struct.pack("<HII", 0x300A, len(inner), 64 + len(preview))
    return b"II" + struct.pack("<I", 26) + b"HEAPCCDR" + bytes(12) + heap + table + struct.pack("<I", len(heap))


def x3f(preview: bytes) -> bytes:
    """An X3F: a directory at the end names a section that is a JPEG."""
    section = b"SECi" + struct.pack("<6I", 0x20000, 2, 18, 600, 400, 0) + preview
    table = b"SECd" + struct.pack("<II", 0x20000, 1) + struct.pack("<II4s", 64, len(section), b"IMA2")
    return (b"FOVb" + bytes(60)) + section + table + struct.pack("<I", 64 + len(section))


def mrw(preview: bytes, *, wrong_first_byte: bool = True) -> bytes:
    """An MRW: its TIFF in a block, its preview behind, whose first byte the camera gets wrong."""
    camera = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x112, 3, 1, 6, 0) + bytes(4)
    block = b"\0TTW" + struct.pack(">I", len(camera)) + camera
    jpeg = b"\2" + preview[1:] if wrong_first_byte else preview
    return b"\0MRM" + struct.pack(">I", len(block)) + block + bytes(2000) + jpeg + bytes(3000)


def bmp_of_masks(image: Image.Image, masks: tuple[int, int, int], bits: int = 32) -> bytes:
    """A BMP whose colours lie under the given masks, its first row first."""
    size = bits // 8
    raw = b""
    for y in range(image.height):
        row = b""
        for x in range(image.width):
            number = 0
            for value, mask in zip(image.getpixel((x, y)), masks, strict=True):  # type: ignore[arg-type]
                shift = (mask & -mask).bit_length() - 1
                number |= round(value * (mask >> shift) / 255) << shift
            row += number.to_bytes(size, "little")
        raw += row + bytes(-len(row) % 4)
    head = struct.pack("<IiiHHIIiiII", 40, image.width, -image.height, 1, bits, 3, len(raw), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 66 + len(raw), 0, 0, 66) + head + struct.pack("<3I", *masks) + raw


def with_property(avif: bytes, content: bytes) -> bytes:
    """An AVIF with one more property of its only picture; everything behind it moves."""
    data, grown = bytearray(avif), len(content) + 1
    place = data.index(b"ipco") - 4
    size = int.from_bytes(data[place : place + 4], "big")
    number = 0
    at = place + 8
    while at < place + size:
        at += int.from_bytes(data[at : at + 4], "big")
        number += 1
    link = data.index(b"ipma") - 4
    count_at = link + 8 + 4 + 4 + 2
    data[count_at] += 1
    data[count_at + data[count_at] : count_at + data[count_at]] = bytes((0x80 | (number + 1),))
    data[place + size : place + size] = content
    for name, more in ((b"ipco", len(content)), (b"iprp", grown), (b"meta", grown), (b"ipma", 1)):
        start = data.index(name) - 4
        data[start : start + 4] = (int.from_bytes(data[start : start + 4], "big") + more).to_bytes(4, "big")
    old = avif.index(b"mdat") + 4
    where = data.index(old.to_bytes(4, "big"), data.index(b"iloc"))
    data[where : where + 4] = (old + grown).to_bytes(4, "big")
    return bytes(data)


def preview_jpeg(size: tuple[int, int] = (600, 400)) -> bytes:
    """What a camera keeps inside its RAW files."""
    return saved(scene(size), "JPEG", quality=90)
