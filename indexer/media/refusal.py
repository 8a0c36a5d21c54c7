"""Why a picture has no rendition."""

from __future__ import annotations

from indexer.domain.answer import Reason


class PictureError(Exception):
    """Why a picture has no rendition; `detail` is one line for a person and names no path."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
