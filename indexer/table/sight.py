"""What an image model sees in photos: its encoder, kept in the library, and a vector a photo.

The model is named by the setting `image_model`. Another one, or none, makes the encoder and the vectors go.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.storage.layout import IMAGE_ENCODER_FOLDER
from indexer.table.encoder.load import ensure_image_encoder
from indexer.table.encoder.onnx import Manifest

if TYPE_CHECKING:
    import numpy as np

    from indexer.table.encoder.image import ImageEncoder

Pictures = Callable[[Sequence[str]], Iterable[tuple[str, bytes]]]
"""From ids of photos to those that can be read now, each with its JPEG."""
_GROUP = 128


class Sight:
    """The image model `model` of the library in `folder`; None sees nothing."""

    def __init__(self, folder: Path, model: str | None, pictures: Pictures) -> None:
        self._home = folder / IMAGE_ENCODER_FOLDER
        self._coming = folder / f"{IMAGE_ENCODER_FOLDER}.coming"
        self._model = model
        self._pictures = pictures
        self._loaded: ImageEncoder | None = None

    def is_changed(self) -> bool:
        """Say whether the photos were seen by another model than is asked for, or one is there that nobody asks for."""
        if self._model is None:
            return self._home.is_dir()
        manifest = Manifest.read(self._home)
        return manifest is None or manifest.name != self._model

    def prepare(self) -> None:
        """Make the encoder beside the one that is there; raises `BadSetting` for a model that cannot be used."""
        shutil.rmtree(self._coming, ignore_errors=True)
        if self._model is not None:
            ensure_image_encoder(self._coming, self._model)

    def install(self) -> None:
        """Put what was prepared in place; a kill before the end of it begins the change again."""
        self._loaded = None
        if self._home.is_dir():
            shutil.rmtree(self._home)
        if self._model is not None:
            self._coming.rename(self._home)

    @property
    def model(self) -> str:
        """Its name, "" where there is none."""
        return self._model or ""

    @property
    def dimension(self) -> int:
        """The length of a vector, 0 where there is no model."""
        manifest = Manifest.read(self._home) if self._model is not None else None
        return manifest.dimension if manifest is not None else 0

    def vectors(self, photos: Iterable[str]) -> Iterator[tuple[str, np.ndarray]]:
        """Yield those of `photos` that can be read now, each with its vector of length 1."""
        iterator = iter(photos) if self._model is not None else iter(())
        while group := list(islice(iterator, _GROUP)):
            read = dict(self._pictures(group))
            if read:
                yield from zip(read, self._encoder().jpegs([*read.values()], threads=os.cpu_count() or 1), strict=True)

    def _encoder(self) -> ImageEncoder:
        if self._loaded is None:
            self._loaded = ensure_image_encoder(self._home, self.model)
        return self._loaded
