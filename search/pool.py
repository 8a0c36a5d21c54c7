"""The term lines of candidates, in which the words of a query are counted."""

from __future__ import annotations

from collections.abc import Sequence

_HEAD = 8
"""Bytes of a needle that are compared with those at the beginnings of all words at once."""
_SPACE = 0x20


class Pool:
    """Lines of terms, with a space around each; needles are one or more terms with a space around each."""

    def __init__(self, lines: Sequence[str]) -> None:
        import numpy as np

        self._lines = lines
        self._text = "".join(lines)
        written = np.frombuffer(self._text.encode("utf-8", "surrogatepass") + bytes(_HEAD), np.uint8)
        words = np.flatnonzero(written == _SPACE) + 1
        # Most spellings of a word stand nowhere, and a search of all lines for each of them is dear.
        self._heads = np.ndarray(len(written) - _HEAD + 1, "<u8", written, strides=(1,))[words]

    def counts(self, needle: str) -> list[int] | None:
        """Return how often each line holds `needle`, None where none does."""
        if not self._begins(needle) or needle not in self._text:
            return None
        return [line.count(needle) for line in self._lines]

    def _begins(self, needle: str) -> bool:
        """Whether any word begins as `needle` does, by its first bytes."""
        head = needle[1:].encode("utf-8", "surrogatepass")[:_HEAD]
        shown = (1 << 8 * len(head)) - 1
        same = self._heads == int.from_bytes(head, "little") if len(head) == _HEAD else None
        if same is None:
            same = (self._heads & shown) == int.from_bytes(head, "little")
        return bool(same.any())
