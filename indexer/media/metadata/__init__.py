"""What a file says of itself: EXIF, XMP, IPTC-IIM, texts, sidecars, names -> facts, without decoding a pixel.

Words: sidecar, Takeout's JSON, then XMP, IPTC, EXIF, comments: the nearer to a person's last edit, the more it counts.
Each field is taken whole from the first carrier that has it, so that a keyword removed in a sidecar is gone. When the
photo was taken: a sidecar's own DateTimeOriginal (a correction), EXIF DateTimeOriginal, XMP, IPTC, and only then
fields about files, and at last the names of file and folders; never the mtime.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path, PurePath
from unicodedata import normalize

from indexer.domain.characters import CONTROLS, DIRECTIONS, HALVES, SEPARATORS
from indexer.domain.photo import Facts
from indexer.media.metadata import exif, iptc, takeout, xmp
from indexer.media.metadata.carried import COMMENT, Carried
from indexer.media.metadata.containers import carried
from indexer.media.metadata.dates import first_possible
from indexer.media.metadata.name_dates import in_names
from indexer.media.metadata.raw_facts import Claims
from indexer.media.metadata.sidecar_file import sidecar_of, takeout_of
from indexer.media.tiff import ByteSpan, FileSpan
from indexer.storage.regular import open_regular

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
    takeout.DATE_TAKEN,
    exif.DATE_MODIFIED,
    _PNG_DATE,
)
_PERCENTS = ((5, 88), (4, 63), (3, 38), (2, 13), (1, 1))
"""Stars, and from which percentage on they are meant: programs write 1, 25, 50, 75, 99."""
_PROGRAMS = (
    *("applemark", "intel(r) jpeg", "jpeg encoder copyright", "optimized by jpegmini", "compressed by", "created with"),
    *("created by", "converted with", "made with gimp", "processed by", "handmade software", "xv version"),
    *("file written by", "acd systems", "exif_", "gd-jpeg"),
)
"""How comments begin that a program wrote, not a person."""
# Controls of C0, C1 and of text direction: what could rewrite the line of a terminal.
_CONTROLS = re.compile(f"(?![\t\n])[{CONTROLS}{SEPARATORS}{DIRECTIONS}\ufeff]")
_HALVES = re.compile(f"[{HALVES}]")
_CORPORATE = re.compile(
    r"[\s,.]+(corporation|corp|company|co|ltd|inc|imaging|optical|digital|electronics|gmbh|ag)\b\.?.*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Told:
    """What each carrier says of one picture."""

    sidecar: Claims
    takeout: Claims
    xmp: Claims
    iptc: Claims
    exif: Claims
    texts: Claims

    def by_words(self) -> tuple[Claims, ...]:
        """All of them, the most trusted for words first."""
        return self.sidecar, self.takeout, self.xmp, self.iptc, self.exif, self.texts

    def by_machine(self) -> tuple[Claims, ...]:
        """All of them, the most trusted for what a camera knows of itself first."""
        return self.exif, self.texts, self.sidecar, self.xmp, self.iptc, self.takeout


def read_facts(
    path: Path,
    content: ByteSpan | None = None,
    *,
    beside: bool = True,
    now: datetime | None = None,
    named: PurePath | None = None,
) -> Facts:
    """Return what the picture at `path` and its sidecars say; empty facts where they say nothing that can be read.

    `content` is the file's content when the caller holds it already; `beside` False spares a look for sidecars; `now`
    (local time) bounds what date is possible; `named` is the name that may tell a date, where it is not that of `path`.
    """
    found = sidecar_of(path) if beside else None
    sidecars = xmp.read(found.packet if found else b""), takeout.read(takeout_of(path) if beside else b"")
    now, named = now or datetime.now(), named or path
    if content is not None:
        return _weighed(_told(*sidecars, carried(content)), named, now)
    try:
        with open_regular(path) as stream:
            return _weighed(_told(*sidecars, carried(FileSpan(stream))), named, now)
    except OSError:
        return _weighed(_told(*sidecars, Carried()), named, now)


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Return `text` without anything that could steer a terminal, its lines stripped, at most `limit` characters."""
    if not text:
        return ""
    plain = _HALVES.sub("\ufffd", _CONTROLS.sub(" ", text[: 4 * limit].replace("\r\n", "\n").replace("\r", "\n")))
    lines = (" ".join(line.split()) for line in plain.split("\n"))
    return "\n".join(line for line in lines if line)[:limit].strip()


def _told(sidecar: Claims, google: Claims, main: Carried) -> _Told:
    return _Told(
        _dated(sidecar, _SIDECAR),
        google,
        _dated(xmp.read(main.xmp, main.more_xmp), _XMP),
        iptc.read(main.iptc),
        exif.read(main.exif, (main.shot, main.gps)),
        _in_texts(main.texts),
    )


def _dated(claims: Claims, carrier: str) -> Claims:
    return replace(claims, dates={carrier + name: text for name, text in claims.dates.items()})


def _in_texts(texts: Mapping[str, str]) -> Claims:
    comment = texts.get(COMMENT, "")
    caption = texts.get("description", "") or ("" if _is_of_a_program(comment) else comment)
    return Claims(title=texts.get("title", ""), caption=caption, dates={_PNG_DATE: texts.get("creation time", "")})


def _is_of_a_program(comment: str) -> bool:
    return exif.is_camera_noise(comment) or comment.strip().lower().startswith(_PROGRAMS)


def _weighed(told: _Told, path: PurePath, now: datetime) -> Facts:
    """Take each field from the first carrier that has it."""
    claims, machine = told.by_words(), told.by_machine()
    dates = {name: text for claim in claims for name, text in claim.dates.items()}
    written = ((name, dates[name]) for name in _DATE_ORDER if name in dates)
    taken = first_possible((*written, *in_names(path)), now)
    position = next((claim.position for claim in (told.sidecar, *machine) if claim.position), None)
    keyworded = next((claim for claim in claims if _keywords(claim.keywords)), Claims())
    caption = _first(clean(claim.caption) for claim in claims)
    return Facts(
        taken_at=taken.at if taken else None,
        taken_source=taken.source if taken else None,
        camera=_first(_camera(claim.make, claim.model) for claim in machine),
        lens=_first(_line(claim.lens) for claim in machine),
        latitude=position.latitude if position else None,
        longitude=position.longitude if position else None,
        place=_first(_place(claim.places) for claim in claims),
        title=_first(_title(claim) for claim in claims),
        caption=caption,
        keywords=_keywords(keyworded.keywords),
        rating=next((stars for stars in (_rating(claim) for claim in claims) if stars), None),
        people=next((names for names in (_keywords(claim.people) for claim in claims) if names), ()),
        words=tuple(_words(keyworded, claims, caption or "")),
    )


def _words(keyworded: Claims, claims: Iterable[Claims], caption: str) -> Iterator[str]:
    """What is for word search only: paths of the keywords that count, and whatever else somebody has written."""
    paths = ("|".join(step.strip() for step in path) for path in keyworded.paths)
    others = next((claim.words for claim in claims if claim.words), ())
    yield from _keywords(paths)
    said = _line(caption, MAX_TEXT).casefold()
    yield from dict.fromkeys(word for word in map(_line, others[:MAX_KEYWORDS]) if word and word.casefold() not in said)


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
    """Clean keywords, each once whatever its case, in the author's spelling and order, accents composed (NFC)."""
    found: dict[str, str] = {}
    for word in islice(words, 10 * MAX_KEYWORDS):
        plain = normalize("NFC", _line(word, MAX_KEYWORD))
        if plain:
            found.setdefault(plain.casefold(), plain)
    return tuple(islice(found.values(), MAX_KEYWORDS))


def _rating(claim: Claims) -> int | None:
    """Return 1..5 stars, or -1 for a reject; 0 means that nobody has rated. Microsoft counts to 99."""
    match = re.fullmatch(r"\s*(-1|[1-5])(?:\.0*)?\s*", claim.rating, re.ASCII)
    if match:
        return int(match[1])
    percent = re.fullmatch(r"\s*([1-9]\d?|100)\s*", claim.percent, re.ASCII)
    return next((stars for stars, least in _PERCENTS if percent and int(percent[1]) >= least), None)


def _camera(make: str, model: str) -> str:
    """Join maker and model the way people say it: no "Canon Canon", no CORPORATION."""
    maker = _CORPORATE.sub("", _line(make, 100)).strip(" ,.")
    name = _line(model, 100)
    words = maker.casefold().split()
    if not name or not words or name.casefold().startswith(words[0]) or name.casefold().split()[0] in words:
        return name or maker
    return f"{maker} {name}"
