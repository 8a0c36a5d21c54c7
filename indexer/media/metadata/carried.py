"""The raw metadata that a file carries, before anybody reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from indexer.media.metadata import photoshop
from indexer.media.tiff import ByteSpan

EXIF_START = b"Exif\0\0"
XMP_START = b"http://ns.adobe.com/xap/1.0/\0"
MAX_PARTS = 20_000
MAX_TEXT = 4 * 2**20
COMMENT = "comment"


@dataclass(slots=True)
class Carried:
    """The raw metadata of one file: a TIFF structure, XMP packets, an IIM stream, and named texts.

    `shot` and `gps` are TIFF structures of their own, where the directories of EXIF are kept apart; `more_xmp` is the
    part of a packet that did not fit into it; the names of `texts` are in lower case.
    """

    exif: ByteSpan = b""
    shot: bytes = b""
    gps: bytes = b""
    xmp: bytes = b""
    more_xmp: bytes = b""
    iptc: bytes = b""
    texts: dict[str, str] = field(default_factory=dict)

    def take_resources(self, found: Mapping[int, bytes]) -> None:
        """Take from Photoshop's resources what is not known yet."""
        self.iptc = self.iptc or found.get(photoshop.IIM, b"")
        self.exif = self.exif or found.get(photoshop.EXIF, b"").removeprefix(EXIF_START)
        self.xmp = self.xmp or found.get(photoshop.XMP, b"")

    def take_comment(self, raw: bytes) -> None:
        """Take a comment, in UTF-8 or Windows' Latin; the first one counts."""
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("cp1252", "replace")
        self.texts.setdefault(COMMENT, text.strip("\0"))
