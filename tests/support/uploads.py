"""Uploads for the inbox: pictures whose colour says what they show, a service that reads it, and a clock by hand."""

from __future__ import annotations

import hashlib
import io
from typing import Any

from PIL import Image

from indexer.domain.checks import CATEGORIES
from tests.fakes.services import FakeOpenAI
from tests.fakes.services.base import Answer, picture_of

CHECKS = """
[moderation]
reject = ["sexual:high", "hate:high"]
human = ["minors:low"]

[[check]]
name = "shows_product"
ask = "Does the picture show the product?"
reject_if = false
"""


class Judge(FakeOpenAI):
    """Sees in the colour of a picture what it shows: red is sexual, green minors, blue no product.

    About pictures of the colour `refused` it says nothing.
    """

    refused: tuple[int, int, int] | None = None

    def complete(self, body: Any, *, key: str = "") -> Answer:
        """Answer one request, or refuse it by policy."""
        done = super().complete(body, key=key)
        raw, _ = picture_of(body["messages"][0]["content"][-1]["image_url"]["url"])
        if self.refused is not None and done.status == 200 and near(raw, self.refused):
            message = done.body["choices"][0]["message"]
            message["content"], message["refusal"] = None, "I can't help with that."
        return done

    def say(self, raw: bytes) -> dict[str, Any]:
        """The answer to a picture."""
        with Image.open(io.BytesIO(raw)) as picture:
            red, green, blue = picture.convert("RGB").getpixel((5, 5))  # type: ignore[misc]
        said: dict[str, Any] = {f"moderation_{name}": "none" for name in CATEGORIES}
        said |= {"moderation_sexual": "high" if red > 150 else "none", "check_shows_product": blue < 150}
        said |= {"moderation_minors": "low" if green > 150 else "none"}
        name = hashlib.sha256(raw).hexdigest()[:8]
        return {"description": f"One colour, {name}.", "tags": ["colour", name], "visible_text": "", **said}


def picture(red: int, green: int, blue: int) -> bytes:
    """A picture of one colour."""
    stream = io.BytesIO()
    Image.new("RGB", (96, 96), (red, green, blue)).save(stream, "PNG")
    return stream.getvalue()


CODED = {
    "fine": (picture(10, 10, 10), "approve"),
    "red": (picture(240, 10, 10), "reject"),
    "green": (picture(10, 240, 10), "human"),
    "blue": (picture(10, 10, 240), "reject"),
    "both": (picture(240, 240, 10), "reject"),
}


def near(raw: bytes, colour: tuple[int, int, int]) -> bool:
    """Whether a picture has about this colour."""
    with Image.open(io.BytesIO(raw)) as shown:
        found: Any = shown.convert("RGB").getpixel((5, 5))
    return all(abs(one - other) < 12 for one, other in zip(found, colour, strict=True))


class Hand:
    """A clock that is moved by hand, and the clocks of services with it."""

    def __init__(self, *services: Any) -> None:
        self._services = services

    def time(self) -> float:
        """Seconds since the epoch."""
        return float(self._services[0].now)

    def sleep(self, seconds: float) -> None:
        """Let so many seconds go by."""
        for service in self._services:
            service.now += seconds
