"""Text in a picture, read on this machine: the optional extra `ocr` (rapidocr, with its models inside the package).

A small picture is looked at first, for whether there is any text; only then is it read. It opens no socket.
"""

from __future__ import annotations

import threading
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

_GLANCE = 320
"""The longer side, in pixels, at which a picture is looked at for text."""
_SURE = 0.85
_LEAST_LETTERS = 3
_QUIET = {
    "Global.log_level": "critical",
    "Global.use_cls": False,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}
_loading = threading.Lock()


def text_installed() -> bool:
    """Say whether the extra `ocr` is there."""
    return find_spec("rapidocr") is not None


def has_text(picture: Image) -> bool:
    """Say whether an RGB picture, made small, looks as if it had any text."""
    with _loading:
        glance, _ = _engines()
    small = picture.copy()
    small.thumbnail((_GLANCE, _GLANCE))
    return glance(_pixels(small)).boxes is not None


def read_text(picture: Image) -> str:
    """Return the lines that an RGB picture shows, from top to bottom, "" where there are none that are sure."""
    if not has_text(picture):
        return ""
    with _loading:
        _, reader = _engines()
    read = reader(_pixels(picture))
    lines = zip(read.txts or (), read.scores or (), strict=True)
    return "\n".join(line.strip() for line, score in lines if score >= _SURE and _says_something(line))


def _says_something(line: str) -> bool:
    return sum(map(str.isalnum, line)) >= _LEAST_LETTERS


def _pixels(picture: Image) -> Any:
    """The pixels as the engine wants them: an array of rows, blue first."""
    import numpy as np

    return np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])


@cache
def _engines() -> tuple[Any, Any]:
    """The one that only looks whether there is text, and the one that reads it."""
    engine = import_module("rapidocr").RapidOCR
    looks = {"Global.use_rec": False, "Det.limit_side_len": _GLANCE, "Det.limit_type": "max"}
    return engine(params={**_QUIET, **looks}), engine(params=_QUIET)
