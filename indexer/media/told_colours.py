"""What a file says of its colours outside an ICC profile that Pillow finds: nclx and CICP, PNG's chunks, JP2's box."""

from __future__ import annotations

from contextlib import suppress
from typing import BinaryIO

from indexer.domain.answer import Reason
from indexer.media import icc, png
from indexer.media.boxes import Cicp, boxes, inside
from indexer.media.icc import Curve, Space
from indexer.media.refusal import PictureError
from indexer.media.sniff import Kind
from indexer.media.tiff import FileSpan

_PRIMARIES = {4: icc.BT470M, 9: icc.BT2020, 11: icc.DCI_P3, 12: icc.DISPLAY_P3}
"""Other code points are BT.709's, or so near that pictures mean it."""
_CURVES = {
    4: Curve("gamma", 2.2),
    5: Curve("gamma", 2.8),
    8: Curve("linear"),
    16: Curve("pq"),
    17: Curve("gamma", 2.6),
    18: Curve("hlg"),
}
"""Other code points are sRGB's, or curves of films, which stills mean sRGB by."""
_JP2_SPACES = {21: Space(icc.PROPHOTO, Curve("gamma", 1.8))}
_JP2_CLOSED = {14: "CIELab", 19: "CIEJab", 24: "e-sYCC", 1: "YCbCr(1)", 3: "YCbCr(2)", 4: "YCbCr(3)", 0: "bi-level"}
_MAX_PROFILE = 4 * 2**20


def profile(stream: BinaryIO, kind: Kind, found: bytes, cicp: Cicp | None, *, grey: bool) -> bytes:
    """Return the ICC profile that shows a file's colours, b"" where they are a screen's already.

    `found` is the profile that the decoder found, `cicp` what the boxes of a HEIC or AVIF say. Raises `PictureError`
    for a colour space that cannot be shown right.
    """
    if kind is Kind.PNG:
        told = png.colours(stream)
        return _made(told, grey=grey) if told and not (found and isinstance(told, Space)) else found
    if found:
        return found
    if kind is Kind.JP2:
        return _of_jp2(FileSpan(stream), grey=grey)
    return _made(cicp, grey=grey) if cicp else b""


def _made(told: Cicp | Space | None, *, grey: bool) -> bytes:
    space = _by_numbers(told) if isinstance(told, Cicp) else told
    with suppress(ArithmeticError, ValueError):
        return icc.profile(space, grey=grey) if space else b""
    return b""


def _by_numbers(told: Cicp) -> Space | None:
    if told.primaries not in _PRIMARIES and told.transfer not in _CURVES:
        return None
    return Space(_PRIMARIES.get(told.primaries, icc.BT709), _CURVES.get(told.transfer, Curve("srgb")))


def _of_jp2(data: FileSpan, *, grey: bool) -> bytes:
    """Return the profile in the first colour box of a JP2 that is understood."""
    header = inside(data, (b"jp2h",))
    if header is None:
        return b""
    for box in boxes(data, header.start, header.stop):
        if box.kind != b"colr" or box.stop - box.start > _MAX_PROFILE:
            continue
        raw = data[box.start : box.stop]
        if raw[:1] in (b"\2", b"\3"):
            return raw[3:]
        if raw[:1] == b"\1":
            number = int.from_bytes(raw[3:7], "big")
            if number in _JP2_CLOSED:
                detail = f"its colours ({_JP2_CLOSED[number]}) cannot be shown right here; export it as JPEG or PNG"
                raise PictureError(Reason.UNSUPPORTED, detail)
            return _made(_JP2_SPACES.get(number), grey=grey)
    return b""
