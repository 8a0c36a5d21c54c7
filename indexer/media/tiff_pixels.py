"""TIFFs whose samples Pillow does not read, or reads wrong: planes of 16 bits, odd depths, Lab, extra channels.

Only the layout is ours. A strip or tile is unpacked by Pillow's own decoders, which are shown a small grey TIFF whose
width is the row's bytes; so every compression works that keeps bytes, and no more than one strip is held at a time.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageOps

from indexer.domain.answer import Reason
from indexer.media.refusal import PictureError
from indexer.media.tiff import ByteSpan, Directory, Order, byte_order, first_directory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.uint64]

_WIDTH, _HEIGHT, _BITS, _PACKING, _MEANING, _FILL = 0x100, 0x101, 0x102, 0x103, 0x106, 0x10A
_STRIPS, _SAMPLES, _ROWS, _STRIP_BYTES, _PLANAR, _PREDICTOR = 0x111, 0x115, 0x116, 0x117, 0x11C, 0x13D
_COLOUR_MAP, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _EXTRA, _FORMAT = (
    0x140,
    0x142,
    0x143,
    0x144,
    0x145,
    0x152,
    0x153,
)
_PROFILE, _ORIENTATION = 0x8773, 0x112
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _LAB, _ICC_LAB = 0, 1, 2, 3, 5, 8, 9
_COLOURS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _LAB: 3, _ICC_LAB: 3}
_KEEPS_BYTES = frozenset({1, 5, 8, 32773, 32946, 34925, 50000})
_DEPTHS = frozenset({1, 2, 4, 6, 8, 10, 12, 14, 16, 24, 32})
_MAX_PIECES = 1_000_000


@dataclass(frozen=True, slots=True)
class Layout:
    """How the samples of a TIFF lie."""

    width: int
    height: int
    bits: int
    samples: int
    meaning: int
    packing: int
    planar: bool
    predictor: int
    fill: int
    extra: tuple[int, ...]
    tile: tuple[int, int] | None
    rows: int
    pieces: tuple[tuple[int, int], ...]
    order: Order


def layout(data: ByteSpan) -> Layout | None:
    """Return the layout of a TIFF that can be read here: whole numbers of one depth, packed byte for byte."""
    main, order = first_directory(data), byte_order(data)
    bits = {int(number) for number in main.numbers(_BITS)} or {1}
    kinds = {int(number) for number in main.numbers(_FORMAT)} or {1}
    meaning, packing = main.integer(_MEANING), main.integer(_PACKING) or 1
    width, height, samples = main.integer(_WIDTH) or 0, main.integer(_HEIGHT) or 0, main.integer(_SAMPLES) or 1
    if order is None or len(bits) != 1 or kinds != {1} or meaning not in _COLOURS or packing not in _KEEPS_BYTES:
        return None
    tiled = main.integer(_TILE_WIDTH), main.integer(_TILE_HEIGHT)
    tile = (tiled[0], tiled[1]) if tiled[0] and tiled[1] and _TILES in main.entries else None
    starts, lengths = (_TILES, _TILE_BYTES) if tile else (_STRIPS, _STRIP_BYTES)
    pieces = zip(main.numbers(starts), main.numbers(lengths), strict=False)
    found = Layout(
        width=width,
        height=height,
        bits=bits.pop(),
        samples=samples,
        meaning=meaning,
        packing=packing,
        planar=main.integer(_PLANAR) == 2 and samples > 1,
        predictor=main.integer(_PREDICTOR) or 1,
        fill=main.integer(_FILL) or 1,
        extra=tuple(int(number) for number in main.numbers(_EXTRA)),
        tile=tile,
        rows=min(main.integer(_ROWS) or height, height),
        pieces=tuple((int(start), int(length)) for start, length in pieces),
        order=order,
    )
    return found if _makes_sense(found) else None


def _makes_sense(found: Layout) -> bool:
    colours = _COLOURS[found.meaning]
    return (
        found.width > 0
        and found.height > 0
        and found.bits in _DEPTHS
        and colours <= found.samples <= colours + 8
        and 0 < len(found.pieces) <= _MAX_PIECES
        and (found.predictor == 1 or (found.predictor == 2 and found.bits in (8, 16, 32)))
        and not (found.meaning in (_LAB, _ICC_LAB) and found.bits not in (8, 16))
    )


def read_wrong(data: ByteSpan) -> bool:
    """Return whether this is one of the layouts that Pillow decodes without a word, and wrongly."""
    main = first_directory(data)
    return main.integer(_PLANAR) == 2 and max(main.numbers(_BITS), default=1) > 8 and (main.integer(_SAMPLES) or 1) > 1


def is_inverted(image: Image.Image, data: ByteSpan) -> bool:
    """Return whether Pillow left the values of a white-is-zero picture as they are: it turns up to eight bits only."""
    inverted = first_directory(data).integer(_MEANING) == _WHITE_IS_ZERO
    return inverted and (image.mode in ("I", "F") or image.mode.startswith("I;16"))


def with_palette(image: Image.Image, data: ByteSpan) -> Image.Image:
    """Read a colour map that holds values of eight bits as libtiff does: by the bits they have, not those they may."""
    values = [int(number) for number in first_directory(data).numbers(_COLOUR_MAP)]
    if image.mode != "P" or not values or max(values) > 255 or not any(values):
        return image
    third = len(values) // 3
    alpha = image.info.get("transparency")
    image.putpalette([value for at in range(third) for value in values[at::third][:3]])
    if alpha is not None:
        image.info["transparency"] = alpha
    return image


def decoded(data: ByteSpan, found: Layout) -> Image.Image:
    """Return the picture in eight bits a channel, turned as the file says; raises `PictureError` where it is cut."""
    import numpy as np

    shown = Image.new(_mode(found), (found.width, found.height))
    planes = found.samples if found.planar else 1
    per_plane = len(found.pieces) // planes
    lookup = _colour_map(first_directory(data), found) if found.meaning == _PALETTE else None
    for at, (x, y) in enumerate(_corners(found)):
        if at >= per_plane:
            raise PictureError(Reason.UNREADABLE, "it cannot be read as TIFF: cut short")
        blocks = [_block(data, found, found.pieces[at + plane * per_plane], y) for plane in range(planes)]
        samples = np.concatenate(blocks, axis=2) if planes > 1 else blocks[0]
        shown.paste(_drawn(samples, found, lookup), (x, y))
    main = first_directory(data)
    profile = main.raw(_PROFILE)
    turned = _turned(shown, main.integer(_ORIENTATION) or 1)
    if profile:
        turned.info["icc_profile"] = profile
    return turned


def _corners(found: Layout) -> Iterator[tuple[int, int]]:
    """Yield where the strips or tiles of one plane lie."""
    wide, high = found.tile or (found.width, found.rows)
    for y in range(0, found.height, high):
        for x in range(0, found.width, wide):
            yield x, y


def _block(data: ByteSpan, found: Layout, piece: tuple[int, int], y: int) -> Samples:
    """Return the samples of one strip or tile, as rows x columns x channels."""
    import numpy as np

    wide, high = found.tile or (found.width, min(found.rows, found.height - y))
    channels = 1 if found.planar else found.samples
    row = (wide * channels * found.bits + 7) // 8
    packed = data[piece[0] : piece[0] + piece[1]]
    if len(packed) < piece[1]:
        raise PictureError(Reason.UNREADABLE, "it cannot be read as TIFF: cut short")
    raw = np.frombuffer(_unpacked(packed, row, high, found), np.uint8).reshape(high, row)
    values = _numbers(raw, wide * channels, found).reshape(high, wide, channels)
    if found.predictor == 2:
        values = np.add.accumulate(values, axis=1) & np.uint64(2**found.bits - 1)
    return values


def _unpacked(packed: bytes, row: int, high: int, found: Layout) -> bytes:
    """Let Pillow unpack a strip as if it were a grey picture as wide as the strip has bytes in a row."""
    if found.packing == 1 and found.fill == 1:
        if len(packed) < row * high:
            raise PictureError(Reason.UNREADABLE, "it cannot be read as TIFF: cut short")
        return packed[: row * high]
    entries = [(_WIDTH, row), (_HEIGHT, high), (_BITS, 8), (_PACKING, found.packing), (_MEANING, 1)]
    entries += [(_FILL, found.fill), (_STRIPS, 200), (_SAMPLES, 1), (_ROWS, high), (_STRIP_BYTES, len(packed))]
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)
    with Image.open(io.BytesIO(head.ljust(200, b"\0") + packed), formats=("TIFF",)) as image:
        return image.tobytes()


def _numbers(raw: NDArray[np.uint8], count: int, found: Layout) -> Samples:
    """Return the samples of each row as numbers."""
    import numpy as np

    if found.bits in (8, 16, 32):
        kind = np.dtype(f"u{found.bits // 8}").newbyteorder("<" if found.order == "little" else ">")
        return raw.view(kind)[:, :count].astype(np.uint64)
    if found.bits == 24:
        three = raw[:, : 3 * count].reshape(raw.shape[0], count, 3).astype(np.uint64)
        low, high = (three[..., 0], three[..., 2]) if found.order == "little" else (three[..., 2], three[..., 0])
        whole: Samples = low + (three[..., 1] << np.uint64(8)) + (high << np.uint64(16))
        return whole
    bits = np.unpackbits(raw, axis=1)[:, : count * found.bits].reshape(raw.shape[0], count, found.bits)
    weights = np.array([1 << place for place in range(found.bits - 1, -1, -1)], np.uint64)
    summed: Samples = (bits.astype(np.uint64) * weights).sum(axis=2, dtype=np.uint64)
    return summed


def _mode(found: Layout) -> str:
    if found.meaning in (_LAB, _ICC_LAB):
        return "LAB"
    if found.meaning == _CMYK:
        return "CMYK"  # how ink lies under transparency nobody says, so its channel is left out
    grey = found.meaning in (_WHITE_IS_ZERO, _BLACK_IS_ZERO)
    alpha = _alpha(found) is not None
    return ("LA" if alpha else "L") if grey else ("RGBA" if alpha else "RGB")


def _alpha(found: Layout) -> int | None:
    """Return the place of the channel that says how see-through a pixel is; others that are extra say nothing."""
    colours = _COLOURS[found.meaning]
    places = [colours + at for at, kind in enumerate(found.extra) if kind in (1, 2) and colours + at < found.samples]
    return places[0] if places else None


def _drawn(samples: Samples, found: Layout, lookup: NDArray[np.uint8] | None) -> Image.Image:
    """Return a strip or tile in eight bits a channel."""
    import numpy as np

    colours = samples[..., : _COLOURS[found.meaning]]
    if lookup is not None:
        bands = lookup[np.minimum(colours[..., 0], len(lookup) - 1).astype(np.intp)]
    elif found.meaning in (_LAB, _ICC_LAB):
        bands = _lab(colours, found)
    else:
        bands = _upper(colours, found.bits)
        if found.meaning == _WHITE_IS_ZERO:
            bands = 255 - bands
    alpha, mode = _alpha(found), _mode(found)
    if alpha is not None and mode in ("LA", "RGBA"):
        through = _upper(samples[..., alpha : alpha + 1], found.bits)
        if found.extra[alpha - _COLOURS[found.meaning]] == 1:
            bands = np.where(through > 0, np.minimum(255, bands * 255.0 / np.maximum(through, 1)), 0).astype(np.uint8)
        bands = np.concatenate([bands, through], axis=2)
    pixels: Any = np.ascontiguousarray(bands[..., 0] if bands.shape[2] == 1 else bands)
    return Image.frombytes(mode, (bands.shape[1], bands.shape[0]), pixels.tobytes())


def _upper(samples: Samples, bits: int) -> NDArray[np.uint8]:
    """Return the upper eight bits, as Pillow takes of sixteen; fewer are spread."""
    import numpy as np

    if bits >= 8:
        return (samples >> np.uint64(bits - 8)).astype(np.uint8)
    return (samples * np.uint64(255) // np.uint64(2**bits - 1)).astype(np.uint8)


def _lab(samples: Samples, found: Layout) -> NDArray[np.uint8]:
    """Return L, a and b as Pillow takes them: a and b with a sign."""
    import numpy as np

    bands = (samples >> np.uint64(found.bits - 8)).astype(np.uint8)
    if found.meaning == _LAB:
        return bands
    bands[..., 1:] ^= 0x80
    if found.bits == 16:
        bands[..., 0] = np.minimum(255, samples[..., 0] * np.uint64(255) // np.uint64(0xFF00)).astype(np.uint8)
    return bands


def _colour_map(main: Directory, found: Layout) -> NDArray[np.uint8]:
    import numpy as np

    values = np.array([int(number) for number in main.numbers(_COLOUR_MAP)], np.uint64)
    size = 2**found.bits
    if len(values) != 3 * size:
        raise PictureError(Reason.UNREADABLE, "it cannot be read as TIFF: it has no colour map")
    scaled = values >> np.uint64(8) if values.max() > 255 else values
    return scaled.reshape(3, size).T.astype(np.uint8)


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    image.info["exif"] = exif.tobytes()
    turned = ImageOps.exif_transpose(image)
    turned.info.pop("exif", None)
    return turned
