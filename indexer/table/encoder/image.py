"""Texts and pictures to vectors of one space: the two towers of an image-text model, each loaded when first needed."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.storage.regular import read_regular
from indexer.table.encoder.onnx import TOKENIZER, Manifest, broken, session, tokens_of
from indexer.table.encoder.scale import ASKED, DESCRIBED

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

_PREPARATION = "preparation.json"
_NEUTRAL = "neutral.npy"


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a picture becomes numbers: its shorter side made `shortest` pixels (0: forced into `shape`), its middle cut.

    `shape` is height and width; `mean` and `deviation` are of each colour, from 0 to 1.
    """

    shortest: int
    shape: tuple[int, int]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    resample: int

    @classmethod
    def of(cls, processor: Any) -> Preparation:
        """Return what an image processor of transformers does."""
        size, crop = processor.size, processor.crop_size if processor.do_center_crop else processor.size
        shape = (int(crop["height"]), int(crop["width"])) if "height" in crop else (int(crop["shortest_edge"]),) * 2
        mean, deviation = tuple(processor.image_mean), tuple(processor.image_std)
        return cls(
            int(size["shortest_edge"] or 0) if "shortest_edge" in size else 0,
            shape,
            mean,
            deviation,
            int(processor.resample),
        )

    @classmethod
    def read(cls, directory: Path) -> Preparation:
        """Return what `write` has written."""
        told = json.loads(read_regular(directory / _PREPARATION))
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in told.items()
        }
        return cls(**values)

    def write(self, directory: Path) -> None:
        """Keep it in `directory`."""
        (directory / _PREPARATION).write_text(json.dumps(asdict(self)) + "\n", "utf-8")

    def pixels(self, picture: Image.Image) -> np.ndarray:
        """Return an RGB picture as float32 numbers, shape (1, 3, height, width)."""
        import numpy as np
        from PIL import Image

        height, width = self.shape
        size = (width, height)
        if self.shortest:
            least = min(picture.size)
            size = (picture.width * self.shortest // least, picture.height * self.shortest // least)
        fitted = picture.resize(size, Image.Resampling(self.resample), reducing_gap=None)
        left, top = (size[0] - width) // 2, (size[1] - height) // 2
        values = np.asarray(fitted.crop((left, top, left + width, top + height)), dtype=np.float32) / 255
        values = (values - np.array(self.mean, np.float32)) / np.array(self.deviation, np.float32)
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


class ImageEncoder:
    """The image-text encoder in one directory; safe to use from several threads."""

    def __init__(self, manifest: Manifest, directory: Path) -> None:
        self._manifest = manifest
        self._directory = directory
        self._lock = threading.Lock()
        self._towers: dict[str, Any] = {}

    @classmethod
    def open(cls, directory: Path) -> ImageEncoder:
        """Open the encoder kept in `directory`; raises `LibraryError` when there is none."""
        return cls(Manifest.required(directory, "image model"), directory)

    def is_of(self, manifest: Manifest) -> bool:
        """Say whether `manifest` tells of this very encoder, and not of one that has taken its place."""
        return self._manifest == manifest

    @property
    def name(self) -> str:
        """The name of the model, as it was given."""
        return self._manifest.name

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._manifest.dimension

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 vectors of shape (len(texts), dimension), each of length 1."""
        import numpy as np

        tower, tokens = self._tower("text"), self._tower("tokens")
        found = [tower.run(None, {"input_ids": tokens(text)})[0][0] for text in texts]
        return np.array(found, dtype=np.float32).reshape(len(texts), self.dimension)

    def picture(self, picture: Image.Image) -> np.ndarray:
        """Return the float32 vector of an RGB picture, shape (dimension,), of length 1."""
        tower, preparation = self._tower("image"), self._tower("preparation")
        found: np.ndarray = tower.run(None, {"pixel_values": preparation.pixels(picture)})[0][0]
        return found

    def jpegs(self, jpegs: Sequence[bytes], *, threads: int = 1) -> list[np.ndarray]:
        """Return the vectors of pictures that are given as JPEG; so many threads share them out."""
        from PIL import Image

        def one(jpeg: bytes) -> np.ndarray:
            return self.picture(Image.open(io.BytesIO(jpeg), formats=("JPEG",)).convert("RGB"))

        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(one, jpegs))

    def keep_neutral(self, directory: Path) -> None:
        """Keep the vectors of texts that say nothing about a library's pictures."""
        import numpy as np

        np.save(directory / _NEUTRAL, self.texts([*ASKED, *DESCRIBED]))

    def neutral(self) -> np.ndarray:
        """Return the vectors of texts that say nothing about a library's pictures, shape (n, dimension)."""
        found: np.ndarray = self._tower("neutral")
        return found

    def _tower(self, name: str) -> Any:
        with self._lock:
            if name not in self._towers:
                try:
                    self._towers[name] = self._loaded(name)
                except Exception as fault:  # the libraries raise bare exceptions for a broken file
                    raise broken("image model", self._directory, fault) from fault
            return self._towers[name]

    def _loaded(self, name: str) -> Any:
        if name == "tokens":
            return tokens_of(self._directory / TOKENIZER, self._manifest.max_tokens)
        if name == "preparation":
            return Preparation.read(self._directory)
        if name == "neutral":
            import numpy as np

            return np.load(self._directory / _NEUTRAL, allow_pickle=False)
        return session(self._directory / f"{name}.onnx")
