"""Pictures on a terminal: by the protocols of kitty, iTerm2 and sixel, else as half blocks in colour."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from indexer.storage.paths import to_bytes
from indexer.storage.places import source

if TYPE_CHECKING:
    from PIL.Image import Image

WAYS = ("kitty", "iterm2", "sixel", "blocks")
_ROWS = 12  # lines that a picture takes
_CELL = (10, 20)  # pixels of a cell, near enough for all terminals
_COLOURS = 64
_CHUNK = 4096
_PROGRAMS = {"iTerm.app": "iterm2", "WezTerm": "iterm2", "mintty": "iterm2", "vscode": "iterm2", "ghostty": "kitty"}
_TERMS = {"xterm-kitty": "kitty", "xterm-ghostty": "kitty", "foot": "sixel", "mlterm": "sixel", "contour": "sixel"}


def way(environ: Mapping[str, str]) -> str:
    """Return how the terminal shows pictures; CAPTIONARY_PREVIEW knows better."""
    told = environ.get("CAPTIONARY_PREVIEW", "")
    if told in WAYS:
        return told
    if environ.get("KITTY_WINDOW_ID"):
        return "kitty"
    term = environ.get("TERM", "")
    found = _PROGRAMS.get(environ.get("TERM_PROGRAM", "")) or _TERMS.get(term.removesuffix("-extra"))
    return found or ("sixel" if "sixel" in term else "blocks")


def draw(path: str, how: str, columns: int) -> bytes:
    """Return what a terminal shows as the picture at `path` (text form), b"" where it cannot be read."""
    image = _load(path)
    if image is None:
        return b""
    if how == "blocks":
        image.thumbnail((max(2, columns - 1), 2 * _ROWS))
        return b"".join(line.encode() + b"\n" for line in _blocks(image))
    image.thumbnail((columns * _CELL[0], _ROWS * _CELL[1]))
    if how == "sixel":
        return _sixel(image) + b"\n"
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue())
    if how == "kitty":
        return b"".join(_kitty(data)) + b"\n"
    return b"\x1b]1337;File=inline=1;height=%d;preserveAspectRatio=1:%s\x07\n" % (_ROWS, data)


def _load(path: str) -> Image | None:
    from indexer.media.rendition import PictureError, decode, render

    try:
        return decode(render(source(to_bytes(path))).jpeg).convert("RGB")
    except (PictureError, OSError):
        return None


def _kitty(data: bytes) -> Iterator[bytes]:
    chunks = [data[place : place + _CHUNK] for place in range(0, len(data), _CHUNK)]
    for number, chunk in enumerate(chunks):
        first = b"a=T,f=100,q=2," if not number else b""
        yield b"\x1b_G%sm=%d;%s\x1b\\" % (first, number < len(chunks) - 1, chunk)


def _blocks(image: Image) -> Iterator[str]:
    """Two pixels a cell: the upper one in the colour of the sign, the lower one behind it."""
    pixels = image.load()
    assert pixels is not None
    for row in range(0, image.height - 1, 2):
        cells = []
        for column in range(image.width):
            upper, lower = pixels[column, row], pixels[column, row + 1]
            cells.append(f"\x1b[38;2;{_rgb(upper)};48;2;{_rgb(lower)}m\u2580")
        yield "".join(cells) + "\x1b[0m"


def _rgb(pixel: object) -> str:
    return ";".join(map(str, pixel)) if isinstance(pixel, tuple) else "0;0;0"


def _sixel(image: Image) -> bytes:
    """Bands of six lines; in each, every colour that occurs draws its pixels over those of the others."""
    few = image.quantize(_COLOURS)
    palette = few.getpalette() or []
    width, height = few.size
    data = few.tobytes()
    parts = [f'\x1bP0;1q"1;1;{width};{height}']
    for number in range(len(palette) // 3):
        red, green, blue = (round(value * 100 / 255) for value in palette[3 * number : 3 * number + 3])
        parts.append(f"#{number};2;{red};{green};{blue}")
    for top in range(0, height, 6):
        lines = [data[y * width : (y + 1) * width] for y in range(top, min(top + 6, height))]
        for colour in sorted(set(b"".join(lines))):
            signs = (sum((line[x] == colour) << bit for bit, line in enumerate(lines)) for x in range(width))
            parts.append(f"#{colour}{_packed(signs)}$")
        parts.append("-")
    return ("".join(parts) + "\x1b\\").encode()


def _packed(signs: Iterator[int]) -> str:
    """The signs of a line, those that repeat counted."""
    packed: list[str] = []
    last, count = -1, 0
    for sign in [*signs, -1]:
        if sign == last:
            count += 1
            continue
        if count:
            letter = chr(63 + last)
            packed.append(f"!{count}{letter}" if count > 3 else letter * count)
        last, count = sign, 1
    return "".join(packed)
