"""EXIF -> claims: what the camera wrote, and what Windows writes into the same directories."""

from __future__ import annotations

from indexer.media.metadata.raw_facts import Claims, Place, position
from indexer.media.tiff import ByteSpan, Directory, byte_order, directory, first_directory

DATE_ORIGINAL = "EXIF DateTimeOriginal"
DATE_DIGITIZED = "EXIF DateTimeDigitized"
DATE_MODIFIED = "EXIF DateTime"

XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG = 700, 33723, 34377

_DESCRIPTION, _MAKE, _MODEL, _DATE = 0x10E, 0x10F, 0x110, 0x132
_RATING, _RATING_PERCENT = 0x4746, 0x4749
_EXIF_DIRECTORY, _GPS_DIRECTORY = 0x8769, 0x8825
_XP_TITLE, _XP_COMMENT, _XP_KEYWORDS, _XP_SUBJECT = 0x9C9B, 0x9C9C, 0x9C9E, 0x9C9F
_ORIGINAL, _DIGITIZED, _USER_COMMENT, _LENS, _TITLE = 0x9003, 0x9004, 0x9286, 0xA434, 0xA436


def read(data: ByteSpan, apart: tuple[bytes, bytes] = (b"", b"")) -> Claims:
    """Return what a TIFF structure says as EXIF; nothing where it is broken.

    `apart` are the directories of EXIF and GPS where they are TIFF structures of their own.
    """
    main = first_directory(data)
    shot = first_directory(apart[0]) if apart[0] else _below(data, main, _EXIF_DIRECTORY)
    gps = first_directory(apart[1]) if apart[1] else _below(data, main, _GPS_DIRECTORY)
    return Claims(
        title=_wide(main.raw(_XP_TITLE)) or _wide(main.raw(_XP_SUBJECT)) or _text(shot.raw(_TITLE)),
        caption=_caption(main, shot),
        keywords=tuple(_wide(main.raw(_XP_KEYWORDS)).split(";")),
        position=_position(gps),
        make=_text(main.raw(_MAKE)),
        model=_text(main.raw(_MODEL)),
        lens=_text(shot.raw(_LENS)),
        rating=str(main.integer(_RATING) or ""),
        percent=str(main.integer(_RATING_PERCENT) or ""),
        dates={
            DATE_ORIGINAL: _text(shot.raw(_ORIGINAL)),
            DATE_DIGITIZED: _text(shot.raw(_DIGITIZED)),
            DATE_MODIFIED: _text(main.raw(_DATE)),
        },
    )


def _below(data: ByteSpan, main: Directory, tag: int) -> Directory:
    offset = main.integer(tag)
    return directory(data, offset) if offset and byte_order(data) else Directory()


def _caption(main: Directory, shot: Directory) -> str:
    """The first of the three caption fields that a person has filled in."""
    texts = (_text(main.raw(_DESCRIPTION)), _wide(main.raw(_XP_COMMENT)), _comment(shot))
    return next((text for text in texts if not is_camera_noise(text)), "")


def _text(raw: bytes) -> str:
    """Read "ASCII", which is UTF-8 from today's software and Windows' Latin from yesterday's."""
    raw = raw.split(b"\0", 1)[0]
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _wide(raw: bytes) -> str:
    return raw.decode("utf-16-le", "replace").split("\0", 1)[0]


def _comment(shot: Directory) -> str:
    """Read a UserComment: eight bytes name its character set, and many writers leave them zero."""
    entry = shot.entries.get(_USER_COMMENT)
    if entry is None:
        return ""
    raw = entry.raw
    charset, body = raw[:8], raw[8:]
    if charset.startswith(b"UNICODE"):
        if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return body.decode("utf-16", "replace").split("\0", 1)[0]
        wide = "utf-16-le" if _mostly_little(body, entry.order == "little") else "utf-16-be"
        return body.decode(wide, "replace").split("\0", 1)[0]
    if charset.startswith(b"JIS"):
        return body.decode("iso2022_jp", "replace").split("\0", 1)[0]
    return _text(body if charset in (b"ASCII\0\0\0", b"UTF-8\0\0\0", bytes(8)) else raw)


def _mostly_little(body: bytes, default: bool) -> bool:
    """Tell the byte order of UTF-16 by where its zeros are: writers disagree about whose order it should be."""
    even, odd = body[::2].count(0), body[1::2].count(0)
    return default if even == odd else odd > even


def _position(found: Directory) -> Place | None:
    return position(
        _degrees(found, 1, 2, {"N": 1, "S": -1}),
        _degrees(found, 3, 4, {"E": 1, "W": -1}),
    )


def _degrees(found: Directory, reference: int, value: int, signs: dict[str, int]) -> float | None:
    """Degrees, minutes, seconds -> signed degrees; without a reference the hemisphere would be a guess."""
    sign = signs.get(_text(found.raw(reference)).strip().upper()[:1])
    numbers = found.numbers(value)
    if sign is None or not numbers or len(numbers) > 3:
        return None
    return sign * float(sum(number / 60**place for place, number in enumerate(numbers)))


_NOISE = frozenset(
    """
    asus|ascii|binary comment|bty|charset=ascii|cof|created with gimp|dav|dcim|default|digital camera|edf|exif_jpeg
    |exif_jpeg_picture|fbt|file written by adobe photoshop|hdrpl|konica minolta digital camera|maginon|mde
    |minolta digital camera|msh|nor|olympus digital camera|oznor|oznorwo|photo|picture|ptr|rhdr|samsung
    |samsung camera pictures|sdr|sony dsc|untitled|user comments|vcsn
    """.strip()
    .replace("\n", "")
    .replace("    ", "")
    .split("|")
)


def is_camera_noise(text: str) -> bool:
    """Return whether a caption is none: empty, a maker's default, a file path of the camera, or a program's data."""
    plain = text.strip("\0 \t\r\n").strip("_").lower()
    if plain in _NOISE or not any(sign.isalnum() for sign in plain):
        return True
    return plain.startswith(("dcim\\", "dcim/", "<digimax", "lead technologies", "creator: gd-jpeg", "{", "mvimg_"))
