"""What a refusal to read a file depended on beside its bytes: limits, readers, decoders.

It is kept with the refusal as one line of text. One whose line is not among those that hold today is out of date, and
the file is opened again; "" never holds: a permission may have been granted, a disk repaired.
"""

from __future__ import annotations

from indexer.media.versions import PICTURE_READER

_DECODERS = ("pillow", "pillow-heif")


class Grounds:
    """What holds today, for these limits (bytes, pixels, pixels of a JPEG; pixels of the longer side at least)."""

    def __init__(self, most: tuple[int, int, int], min_side: int) -> None:
        self._most = most
        self.pictures = f"pictures {PICTURE_READER}"
        self.side = f"side {min_side} {self.pictures}"
        self._quick = frozenset({self.pictures, self.side})
        self._decoders = ""

    def hold(self, line: str) -> bool:
        """Say whether a refusal that depended on `line` would be the same today."""
        return line in self._quick or (bool(line) and line in (self.decoders, self.limits))

    @property
    def decoders(self) -> str:
        """What a picture that cannot be decoded depends on; looked up when first asked for."""
        if not self._decoders:
            found = " ".join(f"{name} {_version(name)}" for name in _DECODERS)
            self._decoders = f"{self.pictures} {found}"
        return self._decoders

    @property
    def limits(self) -> str:
        """What a picture that is too large depends on."""
        return f"limits {' '.join(map(str, self._most))} {self.decoders}"


def _version(package: str) -> str:
    from importlib import metadata  # only a run that meets refused files asks

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"
