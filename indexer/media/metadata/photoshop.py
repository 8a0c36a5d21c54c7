"""Photoshop's image resource blocks, in which many programs keep IPTC, EXIF and XMP."""

from __future__ import annotations

from indexer.media.tiff import ByteSpan

IIM, EXIF, XMP = 0x0404, 0x0422, 0x0424

_SIGNATURES = (b"8BIM", b"MeSa", b"PHUT", b"AgHg", b"DCSR")
_MAX_BLOCKS = 4096
_MAX_BYTES = 8 * 2**20


def resources(blocks: bytes) -> dict[int, bytes]:
    """Return the resources in a row of blocks, by number; of several with one number the first."""
    found: dict[int, bytes] = {}
    at = 0
    for _ in range(_MAX_BLOCKS):
        if blocks[at : at + 4] not in _SIGNATURES or at + 12 > len(blocks):
            break
        number = int.from_bytes(blocks[at + 4 : at + 6], "big")
        start = at + 6 + (blocks[at + 6] + 2) // 2 * 2
        length = int.from_bytes(blocks[start : start + 4], "big")
        found.setdefault(number, blocks[start + 4 : start + 4 + length])
        at = start + 4 + (length + 1) // 2 * 2
    return found


def of_document(data: ByteSpan) -> dict[int, bytes]:
    """Return the resources of a Photoshop document."""
    start = 30 + int.from_bytes(data[26:30], "big")
    length = int.from_bytes(data[start : start + 4], "big")
    return resources(data[start + 4 : start + 4 + min(length, _MAX_BYTES)])
