"""How wide text is on a terminal, in cells: wide characters take two, combining ones none."""

from __future__ import annotations

from collections.abc import Iterator


def width(text: str) -> int:
    """Return how many cells `text`, which holds no control characters, takes."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth

    return max(0, wcswidth(text))


def padded(text: str, cells: int) -> str:
    """Return `text` with spaces up to so many cells."""
    return text + " " * max(0, cells - width(text))


def wrapped(text: str, cells: int) -> list[str]:
    """Return `text` in lines of at most so many cells, broken between words; a longer word is broken inside."""
    lines, line = [], ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if width(joined) <= cells:
            line = joined
            continue
        if line:
            lines.append(line)
        *whole, line = _pieces(word, cells)
        lines += whole
    return [*lines, line] if line else lines


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
