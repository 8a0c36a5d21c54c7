"""Text in a picture, read on this machine: the optional extra `ocr` (rapidocr, with its models inside the package).

A small picture is looked at first, for whether there is any text; a few places that look so are tried one by one, and
only then is the picture read. It opens no socket.
"""

from __future__ import annotations

import threading
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from PIL.Image import Image

_GLANCE = 320
"""The longer side, in pixels, at which a picture is looked at for text."""
_WHOLE = 960
"""The same when it is read."""
_FEW = 3
"""Places that are tried one by one before a picture is read as a whole, which takes ten times as long."""
_ROOM = 2.0
_TALL = 1.5
_SURE, _PERHAPS = 0.85, 0.5
_LEAST_LETTERS = 3
_QUIET = {
    "Global.log_level": "critical",
    "Global.use_cls": False,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}
_loading = threading.Lock()
Place = tuple[int, int, int, int]


class _Engines(NamedTuple):
    """What looks whether there is text, what reads a single line, and what reads a picture."""

    glance: Any
    line: Any
    reader: Any


def text_installed() -> bool:
    """Say whether the extra `ocr` is there."""
    return find_spec("rapidocr") is not None


def text_places(picture: Image) -> list[Place]:
    """Return where an RGB picture, made small, seems to have text: left, top, right, bottom, with some room around."""
    small = picture.copy()
    small.thumbnail((_GLANCE, _GLANCE))
    scale, found = picture.width / small.width, _engines().glance(_pixels(small)).boxes
    corners = [] if found is None else [((box.min(0) - _ROOM) * scale, (box.max(0) + _ROOM) * scale) for box in found]
    return [(int(low[0]), int(low[1]), int(high[0]), int(high[1])) for low, high in corners]


def read_text(picture: Image) -> str:
    """Return the lines that an RGB picture shows, from top to bottom, "" where there are none that are sure."""
    places = text_places(picture)
    if not places or (len(places) <= _FEW and not any(map(_is_line, map(picture.crop, places)))):
        return ""
    return "\n".join(_lines(_engines().reader(_pixels(picture)), _SURE))


def _is_line(part: Image) -> bool:
    """Whether a part of a picture reads as a line of text, upright or on its side; many a twig looks like one."""
    upright = part if part.height < _TALL * part.width else part.rotate(90, expand=True)
    return bool(_lines(_engines().line(_pixels(upright)), _PERHAPS))


def _lines(read: Any, least: float) -> list[str]:
    lines = zip(read.txts or (), read.scores or (), strict=True)
    return [line.strip() for line, score in lines if score >= least and _says_something(line)]


def _says_something(line: str) -> bool:
    return sum(map(str.isalnum, line)) >= _LEAST_LETTERS


def _pixels(picture: Image) -> Any:
    """The pixels as the engine wants them: an array of rows, blue first."""
    import numpy as np

    return np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])


def _engines() -> _Engines:
    with _loading:
        return _loaded()


@cache
def _loaded() -> _Engines:
    engine = import_module("rapidocr").RapidOCR
    looks = {"Global.use_rec": False, "Det.limit_side_len": _GLANCE, "Det.limit_type": "max"}
    reads = {"Det.limit_side_len": _WHOLE, "Det.limit_type": "max"}
    return _Engines(*(engine(params={**_QUIET, **own}) for own in (looks, {"Global.use_det": False}, reads)))
