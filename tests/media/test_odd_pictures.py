"""Legal, rare files: described in their right colours, or closed with the true reason; never described wrong."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image, ImageCms

from indexer.domain.answer import Reason
from indexer.domain.photo import Rendition
from indexer.media import icc
from indexer.media.boxes import crop_box
from indexer.media.rendition import PictureError, decode, render
from tests.media.test_rendition import near, shows_the_scene
from tests.support import hostile, odd
from tests.support.hostile import chunk, saved, scene, with_chunks
from tests.support.odd import TiffShape


def middle(found: Rendition) -> tuple[int, int, int]:
    """The colour in the middle of a rendition."""
    image = decode(found.jpeg).convert("RGB")
    red, green, blue = image.getpixel((image.width // 2, image.height // 2))  # type: ignore[misc]
    return red, green, blue


def looks_like(data: bytes, wanted: bytes, tolerance: int = 6) -> bool:
    """Whether two files show the same picture."""
    one, other = (decode(render(file).jpeg).convert("RGB").resize((24, 16)) for file in (data, wanted))
    return all(abs(a - b) <= tolerance for a, b in zip(one.tobytes(), other.tobytes(), strict=True))


COLOURED = [
    TiffShape(planar=True),
    TiffShape(planar=True, big=True),
    TiffShape(planar=True, packed=True, predictor=2, big=True),
    TiffShape(planar=True, tiled=True),
    TiffShape(planar=True, huge=True),
    TiffShape(planar=True, orientation=6),
    TiffShape(bits=10),
    TiffShape(bits=12, big=True),
    TiffShape(bits=14, tiled=True),
    TiffShape(bits=10, planar=True),
    TiffShape(bits=32),
    TiffShape(bits=12, extra=(2,)),
    TiffShape(bits=8, meaning=5, extra=(1,)),
    TiffShape(bits=8, meaning=5, extra=(2,), planar=True),
    TiffShape(bits=16, meaning=5, extra=(2,), packed=True, predictor=2),
]
GREY = [
    TiffShape(meaning=0),
    TiffShape(meaning=0, packed=True),
    TiffShape(meaning=0, big=True),
    TiffShape(meaning=1, big=True),
    TiffShape(meaning=1, big=True, packed=True, predictor=2),
    TiffShape(meaning=1, big=True, orientation=6),
    TiffShape(meaning=1, extra=(2,)),
    TiffShape(meaning=1, extra=(1,), big=True),
    TiffShape(meaning=1, bits=10),
    TiffShape(meaning=1, bits=14, big=True),
    TiffShape(meaning=0, bits=12, big=True),
    TiffShape(meaning=1, bits=32, big=True),
    TiffShape(meaning=1, bits=16, huge=True),
]


@pytest.mark.parametrize("shape", [*COLOURED, *GREY], ids=str)
def test_a_tiff_of_any_depth_shows_its_picture(shape: TiffShape) -> None:
    """Planes, depths, byte orders, packings, tiles and further channels change nothing about the picture."""
    image = scene((96, 72))
    stored = image if shape.orientation == 1 else image.transpose(Image.Transpose.ROTATE_90)
    plain = image.convert("L") if shape.meaning in (0, 1) else image
    assert looks_like(odd.tiff(stored, shape), saved(plain))


def test_a_colour_map_may_hold_values_of_eight_bits() -> None:
    """As libtiff does: a map whose values are all below 256 is read as it was meant."""
    palette = [value for colour in ((20, 30, 91), (250, 250, 240), (201, 40, 30)) for value in colour] + [0] * 759
    numbers = Image.new("L", (90, 60), 0)
    numbers.paste(1, (0, 20, 90, 40))
    numbers.paste(2, (0, 40, 90, 60))
    shown = numbers.copy()
    shown.putpalette(palette)
    for scale in (1, 257):
        colour_map = {0x140: [value * scale for at in range(3) for value in palette[at::3]]}
        data = odd.tiff(numbers, TiffShape(bits=8, meaning=1), {**colour_map, 0x106: [3]})
        assert looks_like(data, saved(shown.convert("RGB"))), scale


@pytest.mark.parametrize(("meaning", "offset", "scale"), [(8, 0, 65535 / 100), (9, 32768, 65280 / 100)])
def test_lab_of_sixteen_bits_is_shown(meaning: int, offset: int, scale: float) -> None:
    """Both ways to write Lab in sixteen bits, of a red: L 53, a 80, b 67."""
    pixel = struct.pack("<3H", round(53.24 * scale), *((round(value * 256) + offset) % 65536 for value in (80.1, 67.2)))
    data = odd.tiff(scene((96, 72)), TiffShape(meaning=2), {0x106: [meaning]})
    whole = data[: -len(pixel) * 96 * 72] + pixel * (96 * 72)
    assert near(middle(render(whole)), (255, 0, 0), 12)


def test_what_stays_closed_says_why() -> None:
    """Floats in three channels are whole, so they are unsupported; cut short they are unreadable."""
    for data, reason in ((hostile.float_colours(), Reason.UNSUPPORTED), (b"8BPS\0\1", Reason.UNREADABLE)):
        with pytest.raises(PictureError) as caught:
            render(data)
        assert caught.value.reason is reason
    with pytest.raises(PictureError) as caught:
        render(hostile.cut(odd.tiff(scene(), TiffShape(planar=True))))
    assert caught.value.reason is Reason.UNREADABLE


P3 = icc.Space(icc.DISPLAY_P3, icc.Curve("srgb"))


def test_a_profile_is_judged_by_what_it_does_not_by_its_name() -> None:
    """A wide profile that calls itself sRGB is applied; one that is sRGB changes no id."""
    profile = icc.profile(P3, grey=False).replace(b"named by numbers", b"P3 not sRGB made")
    assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    green = Image.new("RGB", (64, 64), (60, 200, 60))
    assert near(middle(render(saved(green, icc_profile=profile))), (0, 203, 10), 4)
    same = icc.profile(icc.Space(icc.BT709, icc.Curve("srgb")), grey=False).replace(b"named by", b"sRGB too")
    assert render(saved(scene(), icc_profile=same)).digest == render(saved(scene())).digest


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ([(b"gAMA", struct.pack(">I", 100_000))], (137, 137, 137)),
        ([(b"gAMA", struct.pack(">I", 45_455))], (64, 64, 64)),
        ([(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100_000))], (64, 64, 64)),
        ([(b"gAMA", bytes(4))], (64, 64, 64)),
    ],
)
def test_gamma_of_a_png_counts_as_in_browsers(told: list[tuple[bytes, bytes]], shown: tuple[int, int, int]) -> None:
    """A quarter of full light, stored linearly, is brighter than its number; sRGB and nonsense silence gAMA."""
    for mode in ("L", "RGB", "RGBA"):
        grey = Image.new("L", (40, 40), 64).convert(mode)
        png = with_chunks(saved(grey), *(chunk(kind, content) for kind, content in told))
        assert near(middle(render(png)), shown, 3), mode


def test_primaries_and_code_points_of_a_png_count() -> None:
    """CHRM with gAMA, and cICP, both saying Display P3."""
    green = saved(Image.new("RGB", (64, 64), (60, 200, 60)))
    numbers = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    primaries = [chunk(b"gAMA", struct.pack(">I", 45_455)), chunk(b"cHRM", struct.pack(">8I", *numbers))]
    assert near(middle(render(with_chunks(green, *primaries))), (0, 203, 10), 4)
    assert near(middle(render(with_chunks(green, chunk(b"cICP", b"\x0c\x0d\0\1")))), (0, 203, 10), 4)
    assert near(middle(render(with_chunks(green, chunk(b"cICP", b"\1\x0d\0\1")))), (60, 200, 60), 3)


def test_a_png_loses_nothing_but_its_broken_chunk() -> None:
    """A wrong checksum outside the pixels is no reason to give the pixels up; one inside them is."""
    bad = bytearray(chunk(b"iCCP", b"x\0\0" + zlib.compress(b"profile")))
    bad[-1] ^= 1
    assert render(with_chunks(saved(scene()), bytes(bad))).digest == render(saved(scene())).digest
    broken = bytearray(saved(scene()))
    broken[broken.index(b"IDAT") + 20] ^= 1
    with pytest.raises(PictureError):
        render(bytes(broken))


def nclx(data: bytes, primaries: int, transfer: int) -> bytes:
    """An AVIF that says its colours otherwise."""
    at = data.index(b"nclx") + 4
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


def test_wide_colours_and_hdr_are_read_by_their_numbers() -> None:
    """BT.2020 with PQ: paper white is white, and a red is not a brown; what is sRGB by its numbers stays."""
    white = saved(Image.new("RGB", (64, 64), (148, 148, 148)), "AVIF", quality=100)
    assert near(middle(render(nclx(white, 9, 16))), (255, 255, 255), 8)
    assert near(middle(render(nclx(white, 1, 13))), (148, 148, 148), 3)
    green = saved(Image.new("RGB", (64, 64), (60, 200, 60)), "AVIF", quality=100)
    assert near(middle(render(nclx(green, 12, 13))), (0, 203, 10), 9)


def test_hybrid_log_gamma_has_its_white_at_three_quarters() -> None:
    """Diffuse white of HLG is 75 percent of the signal."""
    assert icc.Curve("hlg").light(0.75) == pytest.approx(1, abs=0.01)
    assert icc.Curve("hlg").light(0.25) < 0.05


def test_an_avif_is_cropped_as_it_says() -> None:
    """The crop box takes the lower right quarter, which is what the photo is."""
    whole = Image.new("RGB", (128, 96), "red")
    whole.paste((0, 0, 255), (64, 48, 128, 96))
    numbers = struct.pack(">IIIIiIiI", 64, 1, 48, 1, 32, 1, 24, 1)
    found = render(odd.with_property(saved(whole, "AVIF", quality=100), odd.box(b"clap", numbers)))
    assert (found.width, found.height) == (64, 48)
    assert near(middle(found), (0, 0, 255))
    assert crop_box((64, 1, 48, 1, 40, 1, 24, 1), (128, 96)) is None  # not inside the picture


@pytest.mark.xfail(reason="this Pillow refuses the whole file for its broken EXIF item", strict=False)
def test_an_avif_with_a_broken_exif_item_is_described() -> None:
    """The pixels are whole; nothing of the item is needed."""
    avif = saved(scene(), "AVIF", exif=b"Exif\0\0" + hostile.exif_tags({0x10E: "Oma im Garten"}))
    broken = avif.replace(b"\0\0\0\x06Exif\0\0", b"\xff\xff\xff\xffExif\0\0")
    assert broken != avif
    assert shows_the_scene(render(broken))


def test_a_new_brand_of_heic_is_described() -> None:
    """The brand says which version of the standard the writer knew, not what is inside."""
    heic = saved(scene(), "HEIF")
    assert shows_the_scene(render(heic[:8] + b"mif2" + heic[12:]))


def test_a_jp2_is_read_by_its_profile() -> None:
    """The profile in the colour box is applied."""
    jp2 = saved(Image.new("RGB", (64, 64), (60, 200, 60)), "JPEG2000")
    at = jp2.index(b"colr") - 4
    old = int.from_bytes(jp2[at : at + 4], "big")
    colours = odd.box(b"colr", b"\2\0\0" + icc.profile(P3, grey=False))
    head = jp2.index(b"jp2h") - 4
    size = int.from_bytes(jp2[head : head + 4], "big") + len(colours) - old
    data = jp2[:head] + size.to_bytes(4, "big") + jp2[head + 4 : at] + colours + jp2[at + old :]
    assert near(middle(render(data)), (0, 203, 10), 6)


BASELINE = saved(scene((640, 480)), "JPEG")
PROGRESSIVE = saved(scene((640, 480)), "JPEG", progressive=True, quality=95)


@pytest.mark.parametrize("part", [0.3, 0.5, 0.7, 0.9])
def test_a_jpeg_cut_and_closed_is_never_half_a_picture(part: float) -> None:
    """The decoder paints the rest grey without a word; an end marker behind the cut changes nothing about that."""
    cut = BASELINE[: int(len(BASELINE) * part)]
    for data in (cut + b"\xff\xd9", cut + bytes(40_000), cut):
        with pytest.raises(PictureError) as caught:
            render(data)
        assert caught.value.reason is Reason.UNREADABLE


@pytest.mark.parametrize("part", [0.2, 0.4, 0.5])
def test_a_progressive_jpeg_cut_and_closed_is_not_described(part: float) -> None:
    """Scans that are missing show in the markers, and the one that was cut by what noise does to it."""
    with pytest.raises(PictureError):
        render(PROGRESSIVE[: int(len(PROGRESSIVE) * part)] + b"\xff\xd9")


@pytest.mark.parametrize("jpeg", [BASELINE, PROGRESSIVE], ids=["baseline", "progressive"])
def test_a_jpeg_needs_its_pixels_not_its_last_two_bytes(jpeg: bytes) -> None:
    """Without the end marker, or with a film behind it, it is the same photo."""
    wanted = render(jpeg).digest
    film = b"\xff\xda\xff\xc2" * 5000
    assert render(jpeg[:-2]).digest == wanted
    assert render(jpeg + film).digest == wanted
    assert render(hostile.with_segments(jpeg, hostile.segment(0xEF, film))).digest == wanted


def test_a_photo_that_ends_in_grey_is_whole() -> None:
    """Grey at the end is looked at again, not refused."""
    image = scene((640, 480))
    image.paste((128, 128, 128), (0, 240, 640, 480))
    for options in ({}, {"progressive": True}):
        assert render(saved(image, "JPEG", **options)).height == 480


def test_scans_are_counted_by_markers_not_by_bytes() -> None:
    """What looks like a thousand scans inside a segment of metadata paints nothing."""
    jpeg = saved(scene((640, 480)), "JPEG")
    segment = b"\xff\xda" * 1000
    noted = jpeg[:2] + b"\xff\xe7" + (len(segment) + 2).to_bytes(2, "big") + segment + jpeg[2:]
    assert render(noted).digest == render(jpeg).digest


@pytest.mark.parametrize(
    ("masks", "bits"),
    [((0x3FC, 0xFF000, 0x3FC00000), 32), ((0x3FF, 0xFFC00, 0x3FF00000), 32), ((0xF000, 0xF00, 0xF0), 16)],
)
def test_a_bmp_may_have_any_masks(masks: tuple[int, int, int], bits: int) -> None:
    """Colours lie where the masks say, and the reserved bytes say nothing."""
    bmp = odd.bmp_of_masks(scene(), masks, bits)
    assert shows_the_scene(render(bmp))
    assert shows_the_scene(render(bmp[:6] + b"\1\2\3\4" + bmp[10:]))
    plain = saved(scene(), "BMP")
    assert render(plain[:6] + b"\1\0\2\0" + plain[10:]).digest == render(plain).digest


@pytest.mark.parametrize("large", [False, True], ids=["psd", "psb"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize(("mode", "depth"), [(1, 8), (3, 8), (3, 16), (4, 8)])
def test_a_photoshop_document_is_its_composite(mode: int, depth: int, packed: bool, large: bool) -> None:
    """The merged picture at the end, in every mode, depth and packing."""
    found = odd.psd(scene((96, 72)), mode=mode, depth=depth, large=large, packed=packed)
    assert looks_like(found, saved(scene((96, 72), "L") if mode == 1 else scene((96, 72))), 12)
    with pytest.raises(PictureError) as caught:
        render(found[: len(found) // 2])
    assert caught.value.reason is Reason.UNREADABLE


PREVIEW = odd.preview_jpeg()
UPRIGHT = {"cr3": odd.cr3(PREVIEW), "crw": odd.crw(PREVIEW), "x3f": odd.x3f(PREVIEW), "rw2": odd.rw2(PREVIEW)}


@pytest.mark.parametrize("name", UPRIGHT)
def test_raw_files_show_their_preview(name: str) -> None:
    """Canon's boxes and heaps, Sigma's directory, Panasonic's."""
    found = render(UPRIGHT[name])
    assert (found.format, found.width, found.height) == ("raw", 600, 400)
    assert shows_the_scene(found)


@pytest.mark.parametrize(
    "data",
    [odd.cr3(PREVIEW, 6), odd.crw(PREVIEW, 90), odd.mrw(PREVIEW), odd.rw2(PREVIEW, 6)],
    ids=["cr3", "crw", "mrw", "rw2"],
)
def test_raw_files_are_turned_as_they_say(data: bytes) -> None:
    """By their TIFF, by degrees; and a Minolta's preview is found though its first byte is wrong."""
    found = render(data)
    assert (found.width, found.height) == (400, 600)


def test_a_raw_file_that_tells_nobody_where_its_preview_lies_is_searched() -> None:
    """The JPEG of the most pixels is taken, wherever it lies."""
    small = odd.preview_jpeg((160, 120))
    found = render(b"IIRO" + bytes(3000) + small + bytes(500) + PREVIEW + bytes(9000))
    assert (found.width, found.height) == (600, 400)
