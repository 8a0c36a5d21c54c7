"""Pictures of every sort -> upright, small, clean renditions, and names that stay."""

from __future__ import annotations

import io
import os
import pickle
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile

from indexer.domain.answer import Reason
from indexer.domain.photo import Rendition
from indexer.media.rendition import PictureError, PictureLimits, decode, render
from tests.support import hostile
from tests.support.hostile import saved, scene

SAMPLES = Path(__file__).parents[2] / "sample_images"
UNUSUAL = hostile.unusual()
BROKEN = hostile.broken()
CORNERS = {"red": (0, 0), "lime": (1, 0), "blue": (0, 1), "yellow": (1, 1)}
WITHOUT_COLOUR = ("grey", "deep", "bitmap", "float", "see-through-grey")
TOO_SMALL = ("one-pixel", "ribbon")


def corner(rendition: Rendition, name: str) -> tuple[int, int, int]:
    """The colour in the middle of the corner where `name` belongs."""
    image = decode(rendition.jpeg).convert("RGB")
    x, y = CORNERS[name]
    colour = image.getpixel(((1 + 4 * x) * image.width // 6, (1 + 4 * y) * image.height // 6))
    assert isinstance(colour, tuple)
    return colour[0], colour[1], colour[2]


def near(found: tuple[int, int, int], wanted: tuple[int, int, int], tolerance: int = 30) -> bool:
    """Whether two colours look the same."""
    return all(abs(a - b) <= tolerance for a, b in zip(found, wanted, strict=True))


def shows_the_scene(rendition: Rendition) -> bool:
    """Whether all four corners are where they belong."""
    wanted = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}
    return all(near(corner(rendition, name), colour) for name, colour in wanted.items())


@pytest.mark.parametrize("name", [name for name in UNUSUAL if not name.startswith((*WITHOUT_COLOUR, *TOO_SMALL))])
def test_every_mode_and_format_shows_its_colours(name: str) -> None:
    """Whatever the file, its rendition has the corners of the scene in their colours."""
    assert shows_the_scene(render(UNUSUAL[name]))


@pytest.mark.parametrize("name", ["grey.jpg", "grey.png", "deep.png", "deep.tif", "float.tif", "see-through-grey.png"])
def test_grey_of_any_depth_is_scaled_not_clipped(name: str) -> None:
    """Sixteen bits and floats come out with the brightness of their eight-bit twin."""
    found = render(UNUSUAL[name])
    for colour, grey in (("red", 76), ("lime", 150), ("blue", 29), ("yellow", 226)):
        assert near(corner(found, colour), (grey, grey, grey), 8)


def grey_values(values: list[float], mode: str) -> bytes:
    """A TIFF of four equal bars of the given values."""
    code = {"I;16": "H", "I": "i", "F": "f"}[mode]
    rows = struct.pack(f"<{32 * len(values)}{code}", *(value for value in values for _ in range(32))) * 32
    return saved(Image.frombytes(mode, (32 * len(values), 32), rows), "TIFF")


@pytest.mark.parametrize(
    ("mode", "values", "shown"),
    [
        ("I;16", [0, 32768, 49152, 65535], [0, 127, 191, 255]),
        ("I;16", [0, 2048, 3072, 4095], [0, 127, 191, 255]),
        ("I", [0, 32768, 49152, 65535], [0, 127, 191, 255]),
        ("I", [-1000, 0, 1000, 1000], [0, 127, 255, 255]),
        ("F", [0.0, 0.5, 0.75, 1.0], [0, 127, 191, 255]),
        ("F", [0.0, 128.0, 192.0, 255.0], [0, 128, 192, 255]),
        ("F", [-5.0, 0.0, 2.5, 5.0], [0, 127, 191, 255]),
        ("F", [7.0, 7.0, 7.0, 7.0], [7, 7, 7, 7]),
    ],
)
def test_grey_values_find_their_range(mode: str, values: list[float], shown: list[int]) -> None:
    """The range is the type's where the type has one, else the picture's own."""
    image = decode(render(grey_values(values, mode)).jpeg).convert("L")
    found = [image.getpixel((16 + 32 * bar, 16)) for bar in range(len(values))]
    assert all(isinstance(a, int) and abs(a - b) <= 3 for a, b in zip(found, shown, strict=True)), found


def test_values_that_are_no_numbers_are_unreadable() -> None:
    """A float picture of infinities has no brightness to show."""
    with pytest.raises(PictureError) as caught:
        render(grey_values([0.0, float("inf"), 1.0, 1.0], "F"))
    assert caught.value.reason is Reason.UNREADABLE


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_come_out_upright(orientation: int, kind: str) -> None:
    """The rendition and the stated size are upright, and the tag is gone."""
    found = render(hostile.turned(orientation, kind))
    assert (found.width, found.height) == (96, 64)
    assert shows_the_scene(found)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_tag_and_turned_pixels_are_one_photo(orientation: int, kind: str, options: dict[str, object]) -> None:
    """A program that turns the pixels and drops the tag does not make another photo, however large the picture."""
    size = (1000, 700)
    assert render(hostile.turned(orientation, kind, size, **options)).digest == render(saved(scene(size))).digest


def test_a_lossless_container_does_not_matter() -> None:
    """The same pixels in another wrapping are the same photo."""
    names = ("plain.png", "plain.tif", "packed.tif", "plain.bmp", "lossless.webp", "see-through.png", "plain.gif")
    assert len({render(UNUSUAL[name]).digest for name in names}) == 1


@pytest.mark.parametrize(
    "edited",
    [
        hostile.exif_segment(hostile.exif_tags({0x10E: "a caption", 0x112: 1}, gps={1: "N", 2: (1.0, 2.0, 3.0)})),
        hostile.xmp_segment(b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"),
        hostile.xmp_segment(b"<rdf:Description tiff:Orientation='6'/>"),
        hostile.iptc_segment(hostile.dataset(2, 120, b"caption")),
        hostile.segment(0xFE, b"a comment"),
        hostile.segment(
            0xE2, b"ICC_PROFILE\0\1\1" + ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        ),
    ],
    ids=["exif", "xmp", "xmp-orientation", "iptc", "comment", "srgb-profile"],
)
def test_a_metadata_edit_keeps_the_photo(edited: bytes) -> None:
    """Digest, perceptual hash and rendition do not move when only words are written into a file."""
    jpeg = saved(scene((1000, 700)), "JPEG")
    assert render(hostile.with_segments(jpeg, edited)) == render(jpeg)


def test_other_pixels_are_another_photo() -> None:
    """A changed corner, a turned picture and another size each have a digest of their own."""
    image = scene((1000, 700))
    painted = image.copy()
    painted.paste("white", (0, 0, 40, 40))
    others = [image, painted, image.transpose(Image.Transpose.ROTATE_180), image.resize((999, 700))]
    assert len({render(saved(other)).digest for other in others}) == 4


@pytest.mark.parametrize(
    ("picture", "digest", "phash"),
    [
        ("pattern", "368aeb822cde2a6b9cb7968a67c9109c9258b5d49e4eccfd61e2afbcb717ee4c", "89aaa6a8a4285ffb"),
        ("dogs_window.jpg", "82ea2fe2fb2bb38cd1cd4aa29b4f05a0b572d0b9f4260715855522efa5a4073a", "bcbccc466c983363"),
    ],
)
def test_the_digest_is_frozen(picture: str, digest: str, phash: str) -> None:
    """Photos are known by these numbers for ever: if this fails, DIGEST_VERSION must rise or the change must go."""
    rows = ((x * y + 3 * x) % 251 for y in range(700) for x in range(3000))
    pattern = Image.frombytes("RGB", (1000, 700), bytes(rows))
    found = render(saved(pattern) if picture == "pattern" else SAMPLES / picture)
    assert (found.digest, found.phash) == (digest, phash)


def test_looking_alike_is_measured_in_bits() -> None:
    """A smaller, recompressed copy is near; another picture is far."""

    def distance(one: bytes, other: bytes) -> int:
        return (int(render(one).phash, 16) ^ int(render(other).phash, 16)).bit_count()

    dogs, cat = (SAMPLES / name for name in ("dogs_window.jpg", "cat_face.jpg"))
    image = Image.open(dogs).convert("RGB")
    copy = saved(image.resize((341, 512)), "JPEG", quality=60)
    brighter = saved(image.point([min(255, value * 5 // 4) for value in range(256)] * 3), "JPEG")
    assert distance(dogs.read_bytes(), copy) <= 4
    assert distance(dogs.read_bytes(), brighter) <= 10
    assert distance(dogs.read_bytes(), cat.read_bytes()) >= 20


def test_a_rendition_holds_pixels_and_nothing_else() -> None:
    """No EXIF, position, XMP, IPTC, profile or comment leaves the machine inside an upload."""
    tiff = hostile.exif_tags(
        {0x10F: "Canon", 0x112: 6}, gps={1: "N", 2: (52.0, 31.0, 0.0), 3: "E", 4: (13.0, 24.0, 0.0)}
    )
    jpeg = hostile.with_segments(
        saved(scene((1000, 700)), "JPEG", comment=b"secret", dpi=(300, 300)),
        hostile.exif_segment(tiff),
        hostile.xmp_segment(b"<secret/>"),
        hostile.iptc_segment(hostile.dataset(2, 120, b"secret")),
    )
    clean = render(jpeg).jpeg
    back = Image.open(io.BytesIO(clean))
    assert [name for name, _ in back.applist] == ["APP0"]  # type: ignore[attr-defined]
    assert not back.getexif()
    assert set(back.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert b"secret" not in clean
    assert back.format == "JPEG"
    assert back.mode == "RGB"


@pytest.mark.parametrize(
    ("size", "fitted"),
    [((4000, 3000), (768, 576)), ((700, 1400), (384, 768)), ((96, 64), (96, 64)), ((9000, 2), (768, 1))],
)
def test_a_rendition_is_shrunk_never_grown(size: tuple[int, int], fitted: tuple[int, int]) -> None:
    """The longer side is 768 at most, the stated size is the full one."""
    found = render(saved(scene(size) if min(size) > 2 else Image.new("RGB", size), "JPEG"))
    assert (found.width, found.height) == size
    assert decode(found.jpeg).size == fitted


def test_what_is_see_through_lies_on_white() -> None:
    """Colours that transparency hides do not come out, in any way that a file can be transparent."""
    hidden = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    palette = Image.new("P", (40, 40), 3)
    palette.putpalette([0, 0, 0] * 3 + [255, 0, 0])
    half = Image.new("LA", (40, 40), (0, 128))
    files = [
        saved(hidden),
        saved(hidden, "WEBP", lossless=True, exact=True),
        saved(palette, transparency=3),
        saved(Image.new("RGB", (40, 40), "red"), transparency=(255, 0, 0)),
    ]
    assert {decode(render(file).jpeg).getpixel((20, 20)) for file in files} == {(255, 255, 255)}
    assert near(decode(render(saved(half)).jpeg).getpixel((20, 20)), (127, 127, 127), 3)  # type: ignore[arg-type]


def swapped_profile() -> bytes:
    """A valid profile of a screen whose red is blue and whose blue is red."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    for written in ("sRGB".encode("utf-16-be"), b"sRGB built-in"):
        at = profile.find(written)
        if at >= 0:
            profile[at : at + 2] = written[:1] + b"X" if written[0] == 0 else b"XX"
    return bytes(profile)


def test_colours_are_read_by_their_profile() -> None:
    """A profile other than sRGB is applied, and its colours are those of a screen afterwards."""
    red = Image.new("RGB", (64, 64), (255, 0, 0))
    for kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        found = decode(render(saved(red, kind, icc_profile=swapped_profile())).jpeg).getpixel((32, 32))
        assert near(found, (0, 0, 255)), (kind, found)  # type: ignore[arg-type]


@pytest.mark.parametrize("profile", [b"", b"no profile", bytes(200), swapped_profile()[:150]])
def test_a_broken_profile_is_no_reason_to_fail(profile: bytes) -> None:
    """Colours stay as they are stored."""
    red = Image.new("RGB", (64, 64), (255, 0, 0))
    assert near(decode(render(saved(red, icc_profile=profile)).jpeg).getpixel((32, 32)), (255, 0, 0))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("animated.gif", "the first frame of several"),
        ("animated.webp", "the first frame of several"),
        ("animated.png", "the first frame of several"),
        ("pages.tif", "the first page of several"),
        ("camera.nef", "the JPEG preview inside a RAW file"),
        ("stereo.mpo", ""),
        ("plain.gif", ""),
        ("plain.tif", ""),
    ],
)
def test_a_note_says_what_was_left_out(name: str, note: str) -> None:
    """Of moving pictures and documents the first frame is described, and said so."""
    assert render(UNUSUAL[name]).note == note


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_shown_has_a_reason(name: str, tmp_path: Path) -> None:
    """Broken, lying and huge files end as one typed error with one printable line."""
    data, reason = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(PictureError) as caught:
        render(path)
    assert caught.value.reason is reason
    assert caught.value.detail.isprintable()
    assert str(tmp_path) not in caught.value.detail
    assert "0x" not in caught.value.detail


@pytest.mark.parametrize("name", ["plain.jpg", "plain.png", "plain.webp", "packed.tif", "plain.avif", "plain.heic"])
def test_a_file_cut_anywhere_is_never_half_a_picture(name: str) -> None:
    """Where bytes of the picture are missing there is no rendition at all."""
    data = UNUSUAL[name]
    for part in range(1, 9):
        with pytest.raises(PictureError):
            render(data[: len(data) * part // 10])


def test_files_over_the_limit_of_bytes_are_not_read() -> None:
    """The limit is on the file as it is."""
    with pytest.raises(PictureError, match="limit") as caught:
        render(saved(scene()), limits=PictureLimits(max_bytes=100))
    assert caught.value.reason is Reason.TOO_LARGE


def test_baseline_jpegs_may_have_more_pixels() -> None:
    """They are decoded at a fraction of their size; a progressive one is not, nor is a PNG."""
    limits = PictureLimits(max_pixels=100_000, max_jpeg_pixels=1_000_000)
    image = scene((900, 600))
    assert render(saved(image, "JPEG"), limits=limits).width == 900
    for data in (saved(image, "JPEG", progressive=True), saved(image), saved(image, "WEBP")):
        with pytest.raises(PictureError) as caught:
            render(data, limits=limits)
        assert caught.value.reason is Reason.TOO_LARGE


def test_a_long_text_inside_a_png_is_no_reason_to_fail() -> None:
    """Editors keep megabytes of history in text chunks."""
    packed = b"History\0\0" + zlib.compress(b"x" * 3_000_000)
    png = hostile.with_chunks(saved(scene()), hostile.chunk(b"zTXt", packed))
    assert render(png).digest == render(saved(scene())).digest


def test_postscript_is_never_run() -> None:
    """An EPS under a picture's name is not handed to an interpreter."""
    with pytest.raises(PictureError) as caught:
        render(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    assert caught.value.reason is Reason.UNREADABLE


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_raw_preview_is_turned_as_the_raw_file_says(orientation: int) -> None:
    """Previews carry no tag of their own."""
    turn = hostile.TURNS[orientation]
    image = scene((600, 400)) if turn is None else scene((600, 400)).transpose(turn)
    found = render(hostile.raw_file(saved(image, "JPEG"), orientation=orientation))
    assert (found.width, found.height, found.format) == (600, 400, "raw")
    assert shows_the_scene(found)


def test_sensor_data_is_not_taken_for_a_preview() -> None:
    """Lossless JPEG (frame marker C3) is how sensors are stored; no decoder here reads it."""
    jpeg = bytearray(saved(scene((600, 400)), "JPEG"))
    jpeg[jpeg.index(b"\xff\xc0") + 1] = 0xC3
    with pytest.raises(PictureError) as caught:
        render(hostile.raw_file(bytes(jpeg)))
    assert caught.value.reason is Reason.UNSUPPORTED


def test_a_name_that_is_no_text_can_be_rendered(tmp_path: Path) -> None:
    """File names are bytes; any of them will do."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe \n.jpg"))
    path.write_bytes(saved(scene(), "JPEG"))
    assert shows_the_scene(render(path))


def test_a_missing_file_is_a_picture_error(tmp_path: Path) -> None:
    """Nothing but `PictureError` comes out, also when the file is gone."""
    with pytest.raises(PictureError, match="No such file"):
        render(tmp_path / "gone.jpg")


def test_an_error_survives_the_way_between_processes() -> None:
    """Workers send it back whole."""
    error = pickle.loads(pickle.dumps(PictureError(Reason.TOO_LARGE, "why")))
    assert (error.reason, error.detail) == (Reason.TOO_LARGE, "why")


def test_pillow_is_left_as_it_was_found() -> None:
    """Limits and warnings belong to the program around us; threads that decode at once give the same results."""
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    names = ["plain.jpg", "plain.png", "plain.webp", "palette.png"] * 6
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda name: render(UNUSUAL[name]).digest, names))
    assert found[:4] * 6 == found
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)) == before


def rendered(data: bytes) -> Rendition | PictureError:
    """What comes of `data`, good or bad."""
    try:
        return render(data)
    except PictureError as error:
        return error


@pytest.mark.parametrize("name", sorted(set(UNUSUAL) - {"ribbon.png", "one-pixel.png"}))
def test_damage_ends_as_a_rendition_or_a_reason(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Over a thousand damaged copies: no other exception, and nothing is printed, not even by C code."""
    count = 250 if name in ("plain.jpg", "plain.png", "plain.webp", "plain.heic") else 20
    for damaged in hostile.mutations(UNUSUAL[name], count, seed=len(name)):
        found = rendered(damaged)
        if isinstance(found, PictureError):
            assert found.detail.isprintable()
        else:
            assert max(decode(found.jpeg).size) <= 768
    assert capfd.readouterr() == ("", "")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"GIF89a", b"\0\0\0\x18ftypheic"]),
    st.binary(max_size=300),
)
def test_any_bytes_are_a_rendition_or_a_reason(start: bytes, rest: bytes) -> None:
    """Nothing but `PictureError` is raised for what was never a picture."""
    found = rendered(start + rest)
    if isinstance(found, PictureError):
        assert found.reason in (Reason.UNREADABLE, Reason.UNSUPPORTED, Reason.TOO_LARGE)


@pytest.mark.parametrize("turn", range(2, 9))
@pytest.mark.parametrize(("kind", "size"), [("JPEG", (1601, 1067)), ("PNG", (97, 300)), ("TIFF", (97, 300))])
def test_a_picture_turned_by_its_flag_keeps_its_digest(kind: str, size: tuple[int, int], turn: int) -> None:
    """The digest of what lay there before is found again, exactly, whatever the turn and back again."""
    exif = Image.Exif()
    exif[0x112] = turn
    upright, turned = saved(scene(size), kind), saved(scene(size), kind, exif=exif)
    before, after = render(upright).digest, render(turned).digest
    assert before != after
    assert render(turned, before=before[:40]).digest == before
    assert render(upright, before=after[:40]).digest == after
    assert render(saved(scene(size).rotate(1), kind), before=before[:40]).digest not in (before, after)
