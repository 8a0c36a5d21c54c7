"""How wide text is on a terminal, in cells: wide characters take two, combining ones none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

_NARROWEST = 20


def width(text: str) -> int:
    """Return how many cells `text`, which holds no control characters, takes."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth

    return max(0, wcswidth(text))


def wrapped(text: str, cells: int, *, whole: bool = False) -> list[str]:
    """Return `text` in lines of at most so many cells, broken between words; a longer word only where not `whole`."""
    lines, line = [], ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if width(joined) <= cells:
            line = joined
            continue
        if line:
            lines.append(line)
        *full, line = [word] if whole else _pieces(word, cells)
        lines += full
    return [*lines, line] if line else lines


def laid_out(line: str, stream: TextIO) -> str:
    """Return `line` as it is written to `stream`: on a terminal broken between words, elsewhere as it is.

    A path stays whole, so that it can be copied: only its end may stand on the next line.
    """
    if not stream.isatty():
        return line
    from shutil import get_terminal_size

    columns = max(_NARROWEST, get_terminal_size().columns - 1)
    return "\n".join(wrapped(line, columns, whole=True)) if width(line) > columns else line


def _pieces(word: str, cells: int) -> Iterator[str]:
    """Cut a word that is too long; what combines stays with the character before it."""
    if width(word) <= cells:
        yield word
        return
    piece = ""
    for character in word:
        if piece and width(piece + character) > cells:
            yield piece
            piece = ""
        piece += character
    yield piece
