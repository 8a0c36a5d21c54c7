"""Which photos were taken in one go: alike to the eye, and seconds apart.

Time is asked for as well as likeness, because scans of two letters are alike too: a photo without a date stands
alone. Every photo of a burst is like its first one, so that a slow pan or a time lapse does not run on for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

GAP_SECONDS = 5.0
"""The longest pause between two photos of a burst."""
ALIKE_BITS = 10
"""The most bits in which the perceptual hashes of two photos of a burst differ: 0 to 4 is the same scene, 32 chance."""


class Shot(NamedTuple):
    """A photo, when it was taken (ISO 8601), by which camera if that is known, and its perceptual hash in hex."""

    photo: str
    taken_at: str
    camera: str | None
    phash: str


@dataclass(slots=True)
class _Burst:
    """A burst that may go on: its first photo, the time of its last one, and all of them."""

    phash: int
    camera: str | None
    last: datetime
    photos: list[str]

    def takes(self, shot: Shot, phash: int) -> bool:
        same_camera = not (self.camera and shot.camera) or self.camera == shot.camera
        return same_camera and (self.phash ^ phash).bit_count() <= ALIKE_BITS


def bursts(shots: Iterable[Shot]) -> Iterator[list[str]]:
    """Yield the photos of each burst, two or more, in the order taken; `shots` come in the order of time."""
    going: list[_Burst] = []
    for shot in shots:
        taken, phash = datetime.fromisoformat(shot.taken_at), int(shot.phash, 16)
        over = [burst for burst in going if (taken - burst.last).total_seconds() > GAP_SECONDS]
        yield from (burst.photos for burst in over if len(burst.photos) > 1)
        going = [burst for burst in going if burst not in over] if over else going
        found = next((burst for burst in going if burst.takes(shot, phash)), None)
        if found is None:
            going.append(_Burst(phash, shot.camera, taken, [shot.photo]))
        else:
            found.photos.append(shot.photo)
            found.last = taken
    yield from (burst.photos for burst in going if len(burst.photos) > 1)
