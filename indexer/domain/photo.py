"""What a file says of itself, and the picture decoded once."""

from __future__ import annotations

from dataclasses import dataclass

RENDITION_SIDE = 768
"""The longest side of what is uploaded, in pixels."""


def fitted(size: tuple[int, int], side: int = RENDITION_SIDE) -> tuple[int, int]:
    """Return `size` in pixels shrunk, never grown, so that its longer side is at most `side` and no side vanishes."""
    longest = max(size)
    if longest <= side:
        return size
    return max(1, round(size[0] * side / longest)), max(1, round(size[1] * side / longest))


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says of itself, before anybody describes it.

    `taken_at` is local wall time without a zone (ISO 8601, seconds), `taken_source` the field it was read from;
    `place` is one line of names (location, city, state, country). `keywords` keep the author's spelling; `people` are
    names of persons shown. `words` are for word search only: paths of hierarchical keywords, places shown, texts
    for those who cannot see. `rating` is 1 to 5 stars, -1 for a reject.
    """

    taken_at: str | None = None
    taken_source: str | None = None
    camera: str | None = None
    lens: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    place: str | None = None
    title: str | None = None
    caption: str | None = None
    keywords: tuple[str, ...] = ()
    rating: int | None = None
    people: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def precision(self) -> str | None:
        """How coarse `taken_at` is: "year", "month" or "day", None where it has a time or is not known."""
        source = self.taken_source or ""
        if not source.endswith(")"):
            return None
        return next((name for name in PRECISIONS if source.endswith(f" ({name})")), None)

    @property
    def taken(self) -> str:
        """When it was taken, no more exactly than is known: "2016", "2016-08", "2016-08-09", or with a time."""
        return as_known(self.taken_at or "", self.precision)


PRECISIONS = {"year": 4, "month": 7, "day": 10}
"""How coarse a date may be, and how much of ISO 8601 it then fills."""


def as_known(moment: str, precision: str | None) -> str:
    """Cut a moment in ISO 8601 to what is known of it."""
    return moment[: PRECISIONS.get(precision or "", len(moment))]


@dataclass(frozen=True, slots=True)
class Rendition:
    """A picture decoded once: the photo's digest, its upright size in pixels, and the clean JPEG for upload.

    `digest` is 64 hex digits over the upright sRGB pixels at the frozen analysis size; `phash` 16 hex digits for
    near-duplicates; `note` says what was left out (further frames, a truncated tail), "" when nothing was.
    `stored` is the digest of the pixels as they lie in the file: no edit of its orientation flag moves it. Where the
    JPEG was put into object storage, `jpeg` is its address.
    """

    digest: str
    phash: str
    width: int
    height: int
    format: str
    jpeg: bytes
    note: str = ""
    stored: str = ""
