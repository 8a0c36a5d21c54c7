"""Is this a picture? By its first bytes, and where they say nothing, by its name."""

from __future__ import annotations

from enum import StrEnum

HEAD_BYTES = 64
"""How much of a file `sniff` needs to see."""


class Kind(StrEnum):
    """The kinds of picture we can name; not all of them can be decoded here, and drawings are no photos."""

    JPEG = "jpeg"
    PNG = "png"
    GIF = "gif"
    WEBP = "webp"
    TIFF = "tiff"
    BMP = "bmp"
    AVIF = "avif"
    HEIC = "heic"
    JP2 = "jp2"
    JXL = "jxl"
    RAW = "raw"
    PSD = "psd"
    DRAWING = "drawing"


_EXTENSIONS = {
    Kind.JPEG: "jpg jpeg jpe jfif jif mpo",
    Kind.PNG: "png apng",
    Kind.GIF: "gif",
    Kind.WEBP: "webp",
    Kind.TIFF: "tif tiff",
    Kind.BMP: "bmp dib",
    Kind.AVIF: "avif avifs",
    Kind.HEIC: "heic heif hif heics heifs",
    Kind.JP2: "jp2 j2k jpf jpx j2c",
    Kind.JXL: "jxl",
    Kind.RAW: "3fr arw cr2 cr3 crw dcr dng erf fff iiq k25 kdc mef mos mrw nef nrw orf pef raf rw2 rwl sr2 srf srw x3f",
    Kind.PSD: "psd psb",
    Kind.DRAWING: "svg svgz ico cur pcx dcx tga icb vda vst icns xpm xbm wmf emf eps ai cdr dds wbmp sgi xcf",
}
_BY_EXTENSION = {
    extension.encode(): kind for kind, extensions in _EXTENSIONS.items() for extension in extensions.split()
}
_SIGNATURES = (
    (0, b"\xff\xd8\xff", Kind.JPEG),
    (0, b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (0, b"GIF87a", Kind.GIF),
    (0, b"GIF89a", Kind.GIF),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", Kind.JXL),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", Kind.JP2),
    (0, b"\xff\x4f\xff\x51", Kind.JP2),
    (0, b"8BPS\x00", Kind.PSD),
    (0, b"\x00\x00\x01\x00", Kind.DRAWING),
    (0, b"icns", Kind.DRAWING),
    (0, b"FUJIFILMCCD-RAW", Kind.RAW),
    (0, b"IIU\x00", Kind.RAW),
    (0, b"IIRO", Kind.RAW),
    (0, b"IIRS", Kind.RAW),
    (0, b"MMOR", Kind.RAW),
    (0, b"FOVb", Kind.RAW),
    (0, b"\x00MRM", Kind.RAW),
    (6, b"HEAPCCDR", Kind.RAW),
    (8, b"CR\x02", Kind.RAW),
    (0, b"II*\x00", Kind.TIFF),
    (0, b"MM\x00*", Kind.TIFF),
    (0, b"II+\x00", Kind.TIFF),
    (0, b"MM\x00+", Kind.TIFF),
)
_BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_BMP_BITS = frozenset({1, 2, 4, 8, 16, 24, 32, 64})
_HEIC_BRANDS = frozenset(b"heic heix heim heis hevc hevx hevm hevs mif1 mif2 mif3 msf1".split())


def sniff(head: bytes, name: bytes) -> Kind | None:
    """Return what picture a file is by content, else by extension; None when neither says picture.

    `head` is the first `HEAD_BYTES` of the file or more, `name` its name as the file system gives it.
    """
    claimed = by_name(name)
    found = by_content(head)
    if found is None:
        return claimed
    # Most RAW files are TIFFs inside; only the name tells them from a scan at a glance.
    return Kind.RAW if found is Kind.TIFF and claimed is Kind.RAW else found


def by_name(name: bytes) -> Kind | None:
    """Return the kind that the extension of `name` claims."""
    stem, dot, extension = name.rpartition(b".")
    return _BY_EXTENSION.get(extension.lower()) if dot and stem else None


def by_content(head: bytes) -> Kind | None:
    """Return the kind that the first bytes of a file show."""
    for offset, magic, kind in _SIGNATURES:
        if head.startswith(magic, offset):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return Kind.WEBP
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    return Kind.BMP if head.startswith(b"BM") and _begins_bmp(head) else None


def _begins_bmp(head: bytes) -> bool:
    """Tell a BMP from the many texts that begin with its two letters: by header size, planes and depth."""
    size = int.from_bytes(head[14:18], "little")
    planes = 22 if size == 12 else 26
    if size not in _BMP_HEADERS:
        return False
    return head[6:10] == b"\0\0\0\0" or (
        head[planes : planes + 2] == b"\1\0" and int.from_bytes(head[planes + 2 : planes + 4], "little") in _BMP_BITS
    )


def _by_brand(head: bytes) -> Kind | None:
    """Tell AVIF, HEIC and Canon's CR3 from films by the brands of an ISO media file."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}
    if b"crx " in brands:
        return Kind.RAW
    # A "mif3" file is so small that its codec stands where others have a version.
    if brands & {b"avif", b"avis"} or head[8:16] == b"mif3avif":
        return Kind.AVIF
    return Kind.HEIC if brands & _HEIC_BRANDS else None
