"""IPTC-IIM -> claims: the older way in which agencies write captions, inside Photoshop's resource blocks."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.media.metadata.raw_facts import Claims

DATE_CREATED = "IPTC DateCreated"

_MARKER = 0x1C
_UTF8 = b"\x1b%G"
_CHARSET = (1, 90)
_TITLE, _KEYWORD, _DATE, _TIME, _HEADLINE, _CAPTION = 5, 25, 55, 60, 105, 120
_PLACES = (92, 90, 95, 101)
_MAX_DATASETS = 4096


def read(data: bytes) -> Claims:
    """Return what a stream of IIM datasets says; reading stops where it stops making sense."""
    found: dict[tuple[int, int], list[bytes]] = {}
    for record, number, value in _datasets(data):
        found.setdefault((record, number), []).append(value)
    utf8 = _UTF8 in found.get(_CHARSET, [])

    def texts(number: int) -> tuple[str, ...]:
        return tuple(_text(value, utf8) for value in found.get((2, number), []))

    def text(number: int) -> str:
        return next(iter(texts(number)), "")

    return Claims(
        title=text(_TITLE),
        headline=text(_HEADLINE),
        caption=text(_CAPTION),
        keywords=texts(_KEYWORD),
        places=tuple(text(number) for number in _PLACES),
        dates={DATE_CREATED: f"{text(_DATE)} {text(_TIME)}".strip()},
    )


def _datasets(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    for _ in range(_MAX_DATASETS):
        if at + 5 > len(data) or data[at] != _MARKER:
            return
        record, number = data[at + 1], data[at + 2]
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        at += 5
        if length & 0x8000:
            size = length & 0x7FFF
            length = int.from_bytes(data[at : at + min(size, 8)], "big")
            at += size
        yield record, number, data[at : at + length]
        at += length


def _text(raw: bytes, utf8: bool) -> str:
    """Read a value: UTF-8 where it says so or happens to be, else Windows' Latin."""
    try:
        return raw.decode("utf-8", "replace" if utf8 else "strict")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")
