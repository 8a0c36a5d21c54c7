"""BMPs whose colours lie under unusual masks: legal, rare, and unknown to Pillow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from indexer.domain.answer import Reason
from indexer.media.refusal import PictureError

_BITFIELDS = frozenset({3, 6})
_FILE_HEADER = 14


@dataclass(frozen=True, slots=True)
class Masked:
    """The header of a BMP whose pixels are numbers under masks: red, green, blue and, where there is any, alpha."""

    width: int
    height: int
    bits: int
    top_down: bool
    start: int
    masks: tuple[int, int, int, int]


def masked(stream: BinaryIO) -> Masked | None:
    """Return the header of a BMP that tells masks, None for every other one."""
    stream.seek(0)
    head = stream.read(_FILE_HEADER + 124)
    size = int.from_bytes(head[14:18], "little")
    if size < 40 or len(head) < 66 or int.from_bytes(head[30:34], "little") not in _BITFIELDS:
        return None
    bits = int.from_bytes(head[28:30], "little")
    height = int.from_bytes(head[22:26], "little", signed=True)
    numbers = [int.from_bytes(head[at : at + 4], "little") for at in (54, 58, 62, 66)]
    told_alpha = size >= 56 or head[30] == 6
    masks = (numbers[0], numbers[1], numbers[2], numbers[3] if told_alpha else 0)
    width = int.from_bytes(head[18:22], "little", signed=True)
    start = int.from_bytes(head[10:14], "little")
    return Masked(width, abs(height), bits, height < 0, start, masks)


def decoded(stream: BinaryIO, head: Masked) -> Image.Image:
    """Return the picture under the masks; raises `PictureError` for one that is cut short or makes no sense."""
    import numpy as np

    if head.bits not in (16, 32) or head.width <= 0 or not any(head.masks[:3]):
        raise PictureError(Reason.UNSUPPORTED, "this variant of BMP is not decoded here; export it as PNG")
    row = (head.width * head.bits + 31) // 32 * 4
    stream.seek(head.start)
    raw = stream.read(row * head.height)
    if len(raw) < row * head.height:
        raise PictureError(Reason.UNREADABLE, "it cannot be read as BMP: cut short")
    kind = np.dtype("<u2" if head.bits == 16 else "<u4")
    pixels = np.frombuffer(raw, kind).reshape(head.height, -1)[:, : head.width]
    if not head.top_down:
        pixels = pixels[::-1]
    bands = []
    for mask in head.masks:
        shift = (mask & -mask).bit_length() - 1 if mask else 0
        most = mask >> shift
        values = (pixels & kind.type(mask & (2**head.bits - 1))) >> kind.type(shift)
        bands.append((values.astype(np.float64) * (255 / most if most else 0) + 0.5).astype(np.uint8))
    if not bands[3].any():
        bands.pop()
    return Image.fromarray(np.ascontiguousarray(np.dstack(bands)), "RGB" if len(bands) == 3 else "RGBA")
