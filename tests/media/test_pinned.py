"""Photos that were read right keep their ids: what a later reader learns must not move them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from indexer.media.rendition import render
from tests.support import hostile
from tests.support.hostile import chunk, saved, scene, with_chunks

SAMPLES = Path(__file__).parents[2] / "sample_images"
SIZE = (200, 140)


def wide(mode: str, order: str, values: int) -> bytes:
    """A grey TIFF of 16 bits in either byte order, its values up to `values`."""
    numbers = [(x * 37 + y * 91) % (values + 1) for y in range(SIZE[1]) for x in range(SIZE[0])]
    data = struct.pack(f"{order}{len(numbers)}H", *numbers)
    return saved(Image.frombytes(mode, SIZE, data), "TIFF")


def srgb() -> bytes:
    """A profile that is sRGB and says so."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def tiff(pixels: bytes, bits: tuple[int, ...], photometric: int, *, planar: int = 1) -> bytes:
    """A little-endian TIFF of one strip a plane, `SIZE` large."""
    count, planes = len(bits), len(bits) if planar == 2 else 1
    entries = [
        (0x100, 4, 1, SIZE[0]),
        (0x101, 4, 1, SIZE[1]),
        (0x102, 3, count, 8 if count > 2 else bits[0]),
        (0x103, 3, 1, 1),
        (0x106, 3, 1, photometric),
        (0x111, 4, planes, 40 if planes > 1 else 1000),
        (0x115, 3, 1, count),
        (0x117, 4, planes, 60 if planes > 1 else len(pixels)),
        (0x11C, 3, 1, planar),
    ]
    lengths = len(pixels) // planes
    head = b"II*\0" + struct.pack("<I", 100) + struct.pack(f"<{count}H", *bits)
    head = head.ljust(40, b"\0") + b"".join(struct.pack("<I", 1000 + at * lengths) for at in range(planes))
    head = head.ljust(60, b"\0") + struct.pack("<I", lengths) * planes
    return (head.ljust(100, b"\0") + hostile.directory(entries)).ljust(1000, b"\0") + pixels


def ordinary() -> dict[str, bytes]:
    """Files of every kind that was read right before profiles, planes and boxes were looked at more closely."""
    image = scene(SIZE)
    planes = b"".join(band.tobytes() for band in image.split())
    deep = b"".join(bytes((value ^ 0x55, value)) for value in image.tobytes())
    lossless = ("grey.png", "deep.png", "bitmap.png", "palette.png", "see-through.png", "see-through-grey.png")
    more = ("plain.gif", "plain.tif", "packed.tif", "deep.tif", "float.tif", "lab.tif", "cmyk.tif", "plain.bmp")
    standard = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    return {
        **{name: hostile.unusual()[name] for name in (*lossless, *more, "lossless.webp", "pages.tif")},
        "srgb-profile.png": saved(image, icc_profile=srgb()),
        "srgb-profile.tif": saved(image, "TIFF", icc_profile=srgb()),
        "srgb-chunk.png": with_chunks(saved(image), chunk(b"sRGB", b"\0"), chunk(b"gAMA", struct.pack(">I", 45455))),
        "usual-gamma.png": with_chunks(
            saved(image), chunk(b"gAMA", struct.pack(">I", 45455)), chunk(b"cHRM", standard)
        ),
        "12-bit.tif": wide("I;16", "<", 4095),
        "16-bit.tif": wide("I;16", "<", 65535),
        "rgb16.tif": tiff(deep, (16, 16, 16), 2),
        "planar8.tif": tiff(planes, (8, 8, 8), 2, planar=2),
        "white-is-zero.tif": tiff(image.convert("L").tobytes(), (8,), 0),
        "palette.tif": saved(image.quantize(16), "TIFF"),
        "turned.png": hostile.turned(6, "PNG", SIZE),
        "turned.tif": hostile.turned(6, "TIFF", SIZE),
    }


PINNED = {
    "grey.png": "e9e2a5d45c4e8f23d060",
    "deep.png": "e9e2a5d45c4e8f23d060",
    "bitmap.png": "3c6fb6f85488ebe07925",
    "palette.png": "ea00f511bb61c9f9c245",
    "see-through.png": "9048f834d6866412c11b",
    "see-through-grey.png": "e9e2a5d45c4e8f23d060",
    "plain.gif": "9048f834d6866412c11b",
    "plain.tif": "9048f834d6866412c11b",
    "packed.tif": "9048f834d6866412c11b",
    "deep.tif": "e9e2a5d45c4e8f23d060",
    "float.tif": "e9e2a5d45c4e8f23d060",
    "lab.tif": "3cf8a0e68f61569ee6a9",
    "cmyk.tif": "9048f834d6866412c11b",
    "plain.bmp": "9048f834d6866412c11b",
    "lossless.webp": "9048f834d6866412c11b",
    "pages.tif": "9048f834d6866412c11b",
    "srgb-profile.png": "046d898dc1c12989f366",
    "srgb-profile.tif": "046d898dc1c12989f366",
    "srgb-chunk.png": "046d898dc1c12989f366",
    "usual-gamma.png": "046d898dc1c12989f366",
    "12-bit.tif": "77911cf8851eb5ecfa3d",
    "16-bit.tif": "899fbc819841b6d6a57c",
    "rgb16.tif": "046d898dc1c12989f366",
    "planar8.tif": "046d898dc1c12989f366",
    "white-is-zero.tif": "44f0558473f2772fdbb0",
    "palette.tif": "d46b004cd065261cf864",
    "turned.png": "046d898dc1c12989f366",
    "turned.tif": "046d898dc1c12989f366",
}
SAMPLE_PINS = {
    "astronaut.jpg": "3dd7d2b76f8d19840964",
    "cat_face.jpg": "c518df79401e98cf6bd5",
    "chinese_tower.jpg": "c27eacc3cee83ade8aad",
    "coffee_cup.jpg": "e292bb3a46033e679ef4",
    "dandelions.jpg": "1f7f7ac70935b155ab6f",
    "dogs_window.jpg": "82ea2fe2fb2bb38cd1cd",
    "fig_bowl.jpg": "dd129da49df6b9c1a3b0",
    "forest_stream.jpg": "f86a831516b41685a85b",
    "mountain_trail.jpg": "9045c0be70e787872692",
    "paint_brushes.jpg": "3738670be54df866db0d",
    "wall_clock.jpg": "4b17898e109ad33ccfca",
}


@pytest.mark.parametrize("name", ordinary())
def test_ordinary_files_keep_their_ids(name: str) -> None:
    """The digests of files in every mode, as they were when the first libraries were made."""
    assert render(ordinary()[name]).digest[:20] == PINNED[name]


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.jpg")), ids=lambda path: path.stem)
def test_sample_pictures_keep_their_ids(path: Path) -> None:
    """The digests of photographs."""
    assert render(path).digest[:20] == SAMPLE_PINS[path.name]
