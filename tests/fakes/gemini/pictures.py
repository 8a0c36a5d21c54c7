"""What the emulator sees in the bytes of a picture."""

from __future__ import annotations

import hashlib
import io
import threading
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops

from tests.fakes.gemini.wire import ApiError

UNREADABLE = (
    "Unable to process input image. Please retry or report in "
    "https://developers.generativeai.google/guide/troubleshooting"
)
_FORMATS = {"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"}
GRID = 12
_NEAR = 12.0
_REMEMBERED = 60_000


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture as the emulator knows it; `thumb` is a 12 x 12 RGB thumbnail."""

    sha256: str
    signature: str
    width: int
    height: int
    sample: str
    thumb: bytes


class Gallery:
    """Looks at pictures, each distinct one once, and recognises the samples of this repository."""

    def __init__(self, samples: Path) -> None:
        self._samples_dir = samples
        self._samples: dict[str, bytes] | None = None
        self._seen: OrderedDict[str, Picture] = OrderedDict()
        self._lock = threading.Lock()

    def look(self, data: bytes, mime_type: str) -> Picture:
        """Return what is known of these bytes; raises the service's 400 for what it cannot read."""
        sha = hashlib.sha256(data).hexdigest()
        with self._lock:
            known = self._seen.get(sha)
        if known is None:
            known = self._look(data, mime_type, sha)
            with self._lock:
                self._seen[sha] = known
                if len(self._seen) > _REMEMBERED:
                    self._seen.popitem(last=False)
        return known

    def _look(self, data: bytes, mime_type: str, sha: str) -> Picture:
        if mime_type == "image/tiff":
            raise ApiError(3, "Request contains an invalid argument.")
        if mime_type not in _FORMATS:
            raise ApiError(3, f"Unsupported MIME type: {mime_type}")
        size, thumb = thumbnail(data)
        return Picture(sha, _signature(thumb), *size, self._recognise(thumb), thumb)

    def _recognise(self, thumb: bytes) -> str:
        with self._lock:
            if self._samples is None:
                found = sorted(self._samples_dir.glob("*.jpg")) if self._samples_dir.is_dir() else []
                self._samples = {path.stem: thumbnail(path.read_bytes())[1] for path in found}
            samples = self._samples
        best, name = min(((_distance(thumb, other), stem) for stem, other in samples.items()), default=(255.0, ""))
        return name if best < _NEAR else ""


def thumbnail(data: bytes) -> tuple[tuple[int, int], bytes]:
    """Return the size of a picture and its thumbnail as RGB bytes; raises the service's 400."""
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypheim"):
        _register_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                size = image.size
                image.draft("RGB", (64, 64))
                small = image.convert("RGB").resize((GRID, GRID), Image.Resampling.BOX)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise ApiError(3, UNREADABLE) from None
    return size, small.tobytes()


def _register_heif() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()


def _distance(one: bytes, other: bytes) -> float:
    # The mean difference is never less than the difference of the means, and that is quickly had.
    if (apart := abs(sum(one) - sum(other)) / len(one)) >= _NEAR:
        return apart
    first, second = (Image.frombytes("RGB", (GRID, GRID), thumb) for thumb in (one, other))
    return sum(ImageChops.difference(first, second).tobytes()) / len(one)


def _signature(thumb: bytes) -> str:
    grey = Image.frombytes("RGB", (GRID, GRID), thumb).convert("L").tobytes()
    mean = sum(grey) / len(grey)
    return f"{int(''.join('01'[level > mean] for level in grey), 2):036x}"
