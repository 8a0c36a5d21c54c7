"""What a file says of itself: EXIF, XMP, IPTC-IIM, PNG texts and sidecars -> facts, without decoding a pixel.

Words: sidecar, then XMP, IPTC, EXIF, PNG texts: the nearer to a person's last edit, the more it counts. Each field is
taken whole from the first carrier that has it, so that a keyword removed in a sidecar is gone. When the photo was
taken: a sidecar's own DateTimeOriginal (a correction), EXIF DateTimeOriginal, XMP, IPTC, and only then fields about
files; never the mtime.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path

from indexer.domain.characters import CONTROLS, DIRECTIONS, HALVES, SEPARATORS
from indexer.domain.photo import Facts
from indexer.media.metadata import exif, iptc, xmp
from indexer.media.metadata.containers import Carried, carried
from indexer.media.metadata.dates import first_possible
from indexer.media.metadata.raw_facts import Claims
from indexer.media.metadata.sidecar_file import sidecar_of
from indexer.media.tiff import FileSpan, Span

MAX_TEXT = 8_000
MAX_LINE = 500
MAX_KEYWORD = 200
MAX_KEYWORDS = 200

_SIDECAR, _XMP = "sidecar ", "XMP "
_PNG_DATE = "PNG Creation Time"
_DATE_ORDER = (
    _SIDECAR + xmp.DATE_ORIGINAL,
    exif.DATE_ORIGINAL,
    _XMP + xmp.DATE_ORIGINAL,
    _SIDECAR + xmp.DATE_CREATED,
    _XMP + xmp.DATE_CREATED,
    iptc.DATE_CREATED,
    exif.DATE_DIGITIZED,
    _SIDECAR + xmp.DATE_DIGITIZED,
    _XMP + xmp.DATE_DIGITIZED,
    exif.DATE_MODIFIED,
    _PNG_DATE,
)
# Controls of C0, C1 and of text direction: what could rewrite the line of a terminal.
_CONTROLS = re.compile(f"(?![\t\n])[{CONTROLS}{SEPARATORS}{DIRECTIONS}\ufeff]")
_HALVES = re.compile(f"[{HALVES}]")
_CORPORATE = re.compile(
    r"[\s,.]+(corporation|corp|company|co|ltd|inc|imaging|optical|digital|electronics|gmbh|ag)\b\.?.*", re.IGNORECASE
)


def read_facts(path: Path, content: Span | None = None, *, now: datetime | None = None) -> Facts:
    """Return what the picture at `path` and its sidecar say; empty facts where they say nothing that can be read.

    `content` is the file's content when the caller holds it already; `now` (local time) bounds what date is possible.
    """
    found = sidecar_of(path)
    beside = xmp.read(found.packet if found else b"")
    main = carried(content) if content is not None else None
    if main is not None:
        return _weighed(_claims(beside, main), now or datetime.now())
    try:
        with path.open("rb") as stream:
            return _weighed(_claims(beside, carried(FileSpan(stream))), now or datetime.now())
    except OSError:
        return _weighed([_dated(beside, _SIDECAR)], now or datetime.now())


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Return `text` without anything that could steer a terminal, its lines stripped, at most `limit` characters."""
    plain = _HALVES.sub("\ufffd", _CONTROLS.sub(" ", text[: 4 * limit].replace("\r\n", "\n").replace("\r", "\n")))
    lines = (" ".join(line.split()) for line in plain.split("\n"))
    return "\n".join(line for line in lines if line)[:limit].strip()


def _claims(beside: Claims, main: Carried) -> list[Claims]:
    """Return what each carrier says, the most trusted for words first."""
    return [
        _dated(beside, _SIDECAR),
        _dated(xmp.read(main.xmp), _XMP),
        iptc.read(main.iptc),
        exif.read(main.exif),
        _in_texts(main.texts),
    ]


def _dated(claims: Claims, carrier: str) -> Claims:
    return replace(claims, dates={carrier + name: text for name, text in claims.dates.items()})


def _in_texts(texts: Mapping[str, str]) -> Claims:
    comment = texts.get("Comment", "")
    caption = texts.get("Description", "") or ("" if exif.is_camera_noise(comment) else comment)
    return Claims(title=texts.get("Title", ""), caption=caption, dates={_PNG_DATE: texts.get("Creation Time", "")})


def _weighed(claims: list[Claims], now: datetime) -> Facts:
    """Take each field from the first carrier that has it."""
    dates = {name: text for claim in claims for name, text in claim.dates.items()}
    taken = first_possible(((name, dates[name]) for name in _DATE_ORDER if name in dates), now)
    # A camera and its lens are known best by themselves: EXIF first.
    machine = [*claims[3:], *claims[:3]]
    position = next((claim.position for claim in (claims[0], *machine) if claim.position), None)
    return Facts(
        taken_at=taken.at if taken else None,
        taken_source=taken.source if taken else None,
        camera=_first(_camera(claim.make, claim.model) for claim in machine),
        lens=_first(_line(claim.lens) for claim in machine),
        latitude=position.latitude if position else None,
        longitude=position.longitude if position else None,
        place=_first(_place(claim.places) for claim in claims),
        title=_first(_title(claim) for claim in claims),
        caption=_first(clean(claim.caption) for claim in claims),
        keywords=next((words for words in (_keywords(claim.keywords) for claim in claims) if words), ()),
        rating=next((stars for stars in (_rating(claim.rating) for claim in claims) if stars), None),
    )


def _first(texts: Iterable[str]) -> str | None:
    return next((text for text in texts if text), None)


def _line(text: str, limit: int = MAX_LINE) -> str:
    return clean(text.replace("\n", " "), limit)


def _title(claim: Claims) -> str:
    """Join title and headline: agencies write a name into the one and a sentence into the other."""
    title, headline = _line(claim.title), _line(claim.headline)
    if not title or not headline or title.casefold() in headline.casefold():
        return headline or title
    return f"{title}: {headline}"


def _place(names: Iterable[str]) -> str:
    return _line(", ".join(dict.fromkeys(name for name in map(_line, names) if name)))


def _keywords(words: Iterable[str]) -> tuple[str, ...]:
    """Clean keywords, each once whatever its case, in the author's spelling and order."""
    found: dict[str, str] = {}
    for word in islice(words, 10 * MAX_KEYWORDS):
        plain = _line(word, MAX_KEYWORD)
        if plain:
            found.setdefault(plain.casefold(), plain)
    return tuple(islice(found.values(), MAX_KEYWORDS))


def _rating(text: str) -> int | None:
    """Return 1..5 stars, or -1 for a reject; 0 means that nobody has rated."""
    match = re.fullmatch(r"\s*(-1|[1-5])(?:\.0*)?\s*", text, re.ASCII)
    return int(match[1]) if match else None


def _camera(make: str, model: str) -> str:
    """Join maker and model the way people say it: no "Canon Canon", no CORPORATION."""
    maker = _CORPORATE.sub("", _line(make, 100)).strip(" ,.")
    name = _line(model, 100)
    words = maker.casefold().split()
    if not name or not words or name.casefold().startswith(words[0]) or name.casefold().split()[0] in words:
        return name or maker
    return f"{maker} {name}"
