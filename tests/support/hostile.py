"""Builders of pictures that a real archive holds and nobody wants: broken, lying, huge, or merely unusual."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import pillow_heif
from PIL import Image, ImageDraw, PngImagePlugin

from indexer.domain.answer import Reason

pillow_heif.register_heif_opener()

TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What must be done to an upright picture so that an orientation tag turns it upright again."""


def scene(size: tuple[int, int] = (96, 64), mode: str = "RGB") -> Image.Image:
    """A picture that is different in all its corners: red, green, blue and yellow on a slope of grey."""
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    draw = ImageDraw.Draw(image)
    wide, high = size[0] // 3, size[1] // 3
    for corner, colour in (((0, 0), "red"), ((2, 0), "lime"), ((0, 2), "blue"), ((2, 2), "yellow")):
        x, y = corner[0] * wide, corner[1] * high
        draw.rectangle((x, y, x + wide - 1, y + high - 1), fill=colour)
    return image.convert(mode)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The file that Pillow writes of `image`."""
    buffer = io.BytesIO()
    image.copy().save(buffer, kind, **options)  # saving as JPEG leaves marks on an image that its TIFF stumbles over
    return buffer.getvalue()


def exif_tags(
    tags: Mapping[int, object], shot: Mapping[int, object] | None = None, gps: Mapping[int, object] | None = None
) -> bytes:
    """A TIFF structure with the given tags in the main, the EXIF and the GPS directory."""
    exif = Image.Exif()
    exif.update(tags)
    for pointer, below in ((0x8769, shot), (0x8825, gps)):
        if below:
            exif.get_ifd(pointer).update(below)
    return exif.tobytes().removeprefix(b"Exif\0\0")


def turned(orientation: int, kind: str = "PNG", size: tuple[int, int] = (96, 64), **options: object) -> bytes:
    """The scene, stored turned, with the tag that says how to turn it back."""
    turn = TURNS[orientation]
    image = scene(size) if turn is None else scene(size).transpose(turn)
    return saved(image, kind, exif=b"Exif\0\0" + exif_tags({0x112: orientation}), **options)


def segment(marker: int, content: bytes) -> bytes:
    """One segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """A JPEG with further segments at its front; the pixels stay byte for byte."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def exif_segment(tiff: bytes) -> bytes:
    """EXIF as a JPEG carries it."""
    return segment(0xE1, b"Exif\0\0" + tiff)


def xmp_segment(packet: bytes) -> bytes:
    """XMP as a JPEG carries it."""
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)


def iptc_segment(stream: bytes) -> bytes:
    """IPTC-IIM as a JPEG carries it: inside Photoshop's resources, behind one that is none of our business."""
    return segment(0xED, b"Photoshop 3.0\0" + resource(0x03ED, b"\0" * 5) + resource(0x0404, stream))


def resource(number: int, content: bytes) -> bytes:
    """One of Photoshop's image resource blocks."""
    return b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + content + b"\0" * (len(content) % 2)


def dataset(record: int, number: int, value: bytes) -> bytes:
    """One IIM dataset."""
    return struct.pack(">BBBH", 0x1C, record, number, len(value)) + value


def chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """A PNG with further chunks behind its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def png_bomb(width: int, height: int) -> bytes:
    """A valid one-bit PNG of the given size, a few kilobytes long however large."""
    row = bytes(1 + (width + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def png_claiming(width: int, height: int) -> bytes:
    """A small PNG whose header promises another size, with a checksum that agrees with the lie."""
    png = saved(scene())
    head = struct.pack(">II", width, height) + png[24:29]
    return png[:8] + chunk(b"IHDR", head) + png[33:]


def jpeg_claiming(width: int, height: int, **options: object) -> bytes:
    """A small JPEG whose frame header promises another size."""
    jpeg = bytearray(saved(scene(), "JPEG", **options))
    frame = next(at for at in range(2, len(jpeg)) if jpeg[at] == 0xFF and jpeg[at + 1] in (0xC0, 0xC2))
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(jpeg)


def jpeg_of_scans(count: int) -> bytes:
    """A progressive JPEG that refines its pixels again and again, at a few bytes a time."""
    jpeg = saved(scene().convert("L"), "JPEG", progressive=True)
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + last * count + jpeg[-2:]


def bmp_claiming(width: int, height: int) -> bytes:
    """A BMP whose header promises another size."""
    bmp = bytearray(saved(scene(), "BMP"))
    bmp[18:26] = struct.pack("<ii", width, height)
    return bytes(bmp)


def directory(entries: list[tuple[int, int, int, int]], following: int = 0) -> bytes:
    """A little-endian TIFF directory of (tag, type, count, value or offset)."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<H", len(entries)) + body + struct.pack("<I", following)


def raw_file(preview: bytes, *, orientation: int = 1) -> bytes:
    """A RAW file as TIFF-based cameras write it: a thumbnail first, sensor data and a preview in sub-directories."""
    thumbnail = saved(scene((24, 16)), "JPEG")
    places = {"sub": 200, "sensor": 300, "shown": 400, "thumbnail": 600}
    places["preview"] = places["thumbnail"] + len(thumbnail)
    main = directory(
        [
            (0xFE, 4, 1, 1),
            (0x112, 3, 1, orientation),
            (0x14A, 4, 2, places["sub"]),
            (0x201, 4, 1, places["thumbnail"]),
            (0x202, 4, 1, len(thumbnail)),
        ]
    )
    sensor = directory([(0xFE, 4, 1, 0), (0x103, 3, 1, 1), (0x106, 3, 1, 32803)])
    shown = directory([(0x201, 4, 1, places["preview"]), (0x202, 4, 1, len(preview))])
    whole = bytearray(b"II*\0" + struct.pack("<I", 8) + main)
    for place, part in (
        ("sub", struct.pack("<II", places["sensor"], places["shown"])),
        ("sensor", sensor),
        ("shown", shown),
        ("thumbnail", thumbnail),
        ("preview", preview),
    ):
        whole += b"\0" * (places[place] - len(whole)) + part
    return bytes(whole)


def fuji_file(preview: bytes) -> bytes:
    """A RAW file as Fuji's cameras begin it: a header that points to a JPEG."""
    return b"FUJIFILMCCD-RAW ".ljust(84, b"\0") + struct.pack(">II", 160, len(preview)) + b"\0" * 68 + preview


def mutations(data: bytes, count: int, seed: int = 1) -> Iterator[bytes]:
    """Yield `count` damaged copies of `data`: flipped, cut, repeated, overwritten; the same ones every time."""
    dice = random.Random(seed)
    for _ in range(count):
        copy = bytearray(data)
        for _ in range(dice.choice((1, 2, 4, 16))):
            at = dice.randrange(len(copy))
            match dice.randrange(5):
                case 0:
                    copy[at] ^= 1 << dice.randrange(8)
                case 1:
                    copy[at : at + 4] = dice.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
                case 2:
                    copy[at : at + 8] = dice.randbytes(8)
                case 3:
                    del copy[at : at + dice.randrange(1, 64)]
                case _:
                    copy[at:at] = copy[at : at + 32]
            if not copy:
                copy += b"\0"
        yield bytes(copy)


def unusual() -> dict[str, bytes]:
    """Pictures that must be described: every mode and format that archives hold."""
    image = scene()
    return {
        "plain.jpg": saved(image, "JPEG"),
        "progressive.jpg": saved(image, "JPEG", progressive=True),
        "grey.jpg": saved(image.convert("L"), "JPEG"),
        "cmyk.jpg": saved(image.convert("CMYK"), "JPEG"),
        "stereo.mpo": saved(image, "MPO", **several()),
        "plain.png": saved(image),
        "grey.png": saved(image.convert("L")),
        "deep.png": saved(deep()),
        "bitmap.png": saved(image.convert("1")),
        "palette.png": saved(image.quantize(16)),
        "see-through.png": saved(image.convert("RGBA")),
        "see-through-grey.png": saved(image.convert("LA")),
        "animated.png": saved(image, **several()),
        "plain.webp": saved(image, "WEBP"),
        "lossless.webp": saved(image, "WEBP", lossless=True),
        "animated.webp": saved(image, "WEBP", **several()),
        "plain.gif": saved(image, "GIF"),
        "animated.gif": saved(image, "GIF", **several()),
        "plain.tif": saved(image, "TIFF"),
        "packed.tif": saved(image, "TIFF", compression="tiff_lzw"),
        "pages.tif": saved(image, "TIFF", **several()),
        "deep.tif": saved(deep(), "TIFF"),
        "float.tif": saved(image.convert("F"), "TIFF"),
        "lab.tif": saved(image.convert("RGB").convert("LAB"), "TIFF"),
        "cmyk.tif": saved(image.convert("CMYK"), "TIFF"),
        "plain.bmp": saved(image, "BMP"),
        "plain.avif": saved(image, "AVIF"),
        "plain.heic": saved(image, "HEIF"),
        "plain.jp2": saved(image, "JPEG2000"),
        "camera.nef": raw_file(saved(scene((600, 400)), "JPEG")),
        "camera.raf": fuji_file(saved(scene((600, 400)), "JPEG")),
        "one-pixel.png": saved(Image.new("RGB", (1, 1), "red")),
        "ribbon.png": saved(Image.new("RGB", (9000, 1), "red")),
        "lying-extension.png": saved(image, "JPEG"),
    }


def float_colours() -> bytes:
    """A TIFF of three floats a pixel, which scientists write and Pillow does not read."""
    entries = [
        (0x100, 4, 1, 8),
        (0x101, 4, 1, 8),
        (0x102, 3, 1, 32),
        (0x103, 3, 1, 1),
        (0x106, 3, 1, 2),
        (0x111, 4, 1, 200),
        (0x115, 3, 1, 3),
        (0x117, 4, 1, 8 * 8 * 12),
        (0x153, 3, 1, 3),
    ]
    return (b"II*\0" + struct.pack("<I", 8) + directory(entries)).ljust(200, b"\0") + bytes(8 * 8 * 12)


def cut(data: bytes) -> bytes:
    """The first two thirds of a file: the rest of the download never came."""
    return data[: len(data) * 2 // 3]


def several() -> dict[str, Any]:
    """What makes Pillow write a second frame."""
    return {"save_all": True, "append_images": [scene().transpose(Image.Transpose.ROTATE_180)]}


def deep() -> Image.Image:
    """The scene in sixteen bits of grey."""
    grey = scene().convert("L")
    wide = b"".join(struct.pack("<H", value * 257) for value in grey.tobytes())
    return Image.frombytes("I;16", grey.size, wide)


def broken() -> dict[str, tuple[bytes, Reason]]:
    """Files that have no description, and why."""
    jpeg = saved(scene((640, 480)), "JPEG")
    return {
        "empty.jpg": (b"", Reason.UNREADABLE),
        "zeros.jpg": (bytes(4096), Reason.UNREADABLE),
        "page.jpg": (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", Reason.UNREADABLE),
        "header-only.jpg": (jpeg[:700], Reason.UNREADABLE),
        "half.jpg": (cut(jpeg), Reason.UNREADABLE),
        "half.png": (cut(saved(scene())), Reason.UNREADABLE),
        "half.webp": (cut(saved(scene((640, 480)), "WEBP")), Reason.UNREADABLE),
        "half.gif": (cut(saved(scene(), "GIF")), Reason.UNREADABLE),
        "half.tif": (cut(saved(scene(), "TIFF")), Reason.UNREADABLE),
        "half.bmp": (cut(saved(scene(), "BMP")), Reason.UNREADABLE),
        "half.avif": (cut(saved(scene((640, 480)), "AVIF")), Reason.UNREADABLE),
        "half.heic": (cut(saved(scene((640, 480)), "HEIF")), Reason.UNREADABLE),
        "bomb.png": (png_bomb(20_000, 20_000), Reason.TOO_LARGE),
        "scans.jpg": (jpeg_of_scans(20_000), Reason.TOO_LARGE),
        "lying.png": (png_claiming(4000, 4000), Reason.UNREADABLE),
        "lying.jpg": (jpeg_claiming(4000, 4000), Reason.UNREADABLE),
        "huge-claim.png": (png_claiming(2**31 - 1, 2**31 - 1), Reason.TOO_LARGE),
        "huge-claim.jpg": (jpeg_claiming(65_000, 65_000), Reason.TOO_LARGE),
        "huge-claim.bmp": (bmp_claiming(2**30, 2**30), Reason.TOO_LARGE),
        "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", Reason.UNSUPPORTED),
        "layers.psd": (b"8BPS\0\1" + bytes(64), Reason.UNSUPPORTED),
        "float-colours.tif": (float_colours(), Reason.UNSUPPORTED),
        "cut-float-colours.tif": (cut(float_colours()), Reason.UNREADABLE),
        "new.jxl": (b"\xff\x0a" + bytes(64), Reason.UNSUPPORTED),
        "unknown.orf": (b"IIRO" + bytes(64), Reason.UNSUPPORTED),
    }


def text_chunk(name: str, text: str) -> bytes:
    """An iTXt chunk, as PNG carries XMP and captions."""
    return chunk(b"iTXt", name.encode() + b"\0\0\0\0\0" + text.encode())


def png_texts(**texts: str) -> bytes:
    """A PNG with named texts, as programs write them."""
    info = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        info.add_text(name.replace("_", " "), text)
    return saved(scene(), pnginfo=info)
