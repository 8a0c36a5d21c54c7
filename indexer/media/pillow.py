"""How the process is held while Pillow decodes bytes that nobody vouches for, and put back afterwards."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from PIL import Image, ImageFile, PngImagePlugin


@contextmanager
def native_silence() -> Iterator[None]:
    """Send what C code writes to standard error nowhere: libtiff prints there, in words that the file chooses.

    For a moment this holds for the whole process, so it is for decoding what needs it only.
    """
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error to keep clean
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class _Ease:
    """Pillow's process-wide settings, held at ours from the first decoding thread in to the last one out.

    Pillow refuses a picture at twice `MAX_IMAGE_PIXELS`. Text chunks may be long: editors keep histories in them.
    Warnings are about metadata that we do not read, or sizes that we have judged ourselves.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._before = ExitStack()

    @contextmanager
    def __call__(self, max_pixels: int) -> Iterator[None]:
        with self._lock:
            self._depth += 1
            if self._depth == 1:
                self._before = self._settled(max_pixels)
        try:
            yield
        finally:
            with self._lock:
                self._depth -= 1
                if self._depth == 0:
                    self._before.close()

    def _settled(self, max_pixels: int) -> ExitStack:
        before = ExitStack()
        before.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        for module, name, value in (
            (Image, "MAX_IMAGE_PIXELS", max_pixels // 2),
            (ImageFile, "LOAD_TRUNCATED_IMAGES", False),
            (PngImagePlugin, "MAX_TEXT_CHUNK", 16 * 2**20),
        ):
            before.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, value)
        return before


pillow_at_ease = _Ease()
