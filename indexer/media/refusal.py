"""Why a picture has no rendition."""

from __future__ import annotations

from indexer.domain.answer import Reason


class PictureError(Exception):
    """Why a picture has no rendition; `detail` is one line for a person and names no path.

    A `passing` reason is not the picture's: the disk may be repaired, so that it is worth looking again.
    """

    def __init__(self, reason: Reason, detail: str, *, passing: bool = False) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.passing = passing


class TooSmall(PictureError):
    """A picture no larger than an icon."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__(Reason.UNSUPPORTED, f"{width} x {height} pixels are an icon's size, not a photo's")
