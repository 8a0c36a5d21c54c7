"""Embedding by a Ray cluster: documents go out in groups, their vectors come back in order.

The encoder travels with them, so that a worker gives the vectors that this machine would give. What the cluster does
not bring back, because whoever had it died or runs another Captionary, is embedded here.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from indexer.table.document import Document
from indexer.table.encoder.onnx import MANIFEST, MODEL, TOKENIZER, Encoder
from indexer.table.meaning import vectors

if TYPE_CHECKING:
    import numpy as np

MANY = 256
"""Fewer documents than this are embedded sooner than a cluster is joined."""
_GROUP = 64
_OPENED: dict[str, Encoder] = {}  # in a worker: the last one that was sent, by its digest


class SentEncoder(NamedTuple):
    """An encoder on its way: its files by their names, and a digest of them."""

    files: Mapping[str, bytes]
    digest: str

    @classmethod
    def of(cls, directory: Path) -> SentEncoder:
        """Read the encoder in `directory`."""
        files = {name: (directory / name).read_bytes() for name in (MODEL, TOKENIZER, MANIFEST)}
        return cls(files, hashlib.sha256(b"".join(files.values())).hexdigest())


def embed(sent: SentEncoder, documents: Sequence[Document]) -> tuple[str, list[np.ndarray | None]]:
    """Embed a group of documents; this is what runs on a worker. Returns its version with the vectors."""
    from indexer import __version__

    return __version__, vectors(_unpacked(sent), documents)


def _unpacked(sent: SentEncoder) -> Encoder:
    """Return the encoder that was sent; a worker unpacks it once."""
    if sent.digest not in _OPENED:
        with tempfile.TemporaryDirectory(prefix="captionary-") as folder:
            for name, content in sent.files.items():
                (Path(folder) / name).write_bytes(content)
            _OPENED.clear()
            _OPENED[sent.digest] = Encoder.open(Path(folder))
    return _OPENED[sent.digest]


def vectors_of(ray: Any, directory: Path, encoder: Encoder, documents: Sequence[Document]) -> list[np.ndarray | None]:
    """Return what `meaning.vectors` would of `documents`; `directory` holds the files of `encoder`."""
    from ray.exceptions import RayError

    from indexer import __version__

    sent = ray.put(SentEncoder.of(directory))
    task = ray.remote(embed).options(scheduling_strategy="SPREAD", num_cpus=1)
    groups = [documents[first : first + _GROUP] for first in range(0, len(documents), _GROUP)]
    out = [task.remote(sent, group) for group in groups]
    found: list[np.ndarray | None] = []
    for group, coming in zip(groups, out, strict=True):
        try:
            version, made = ray.get(coming)
        except RayError:
            version, made = "", []
        found += made if version == __version__ else vectors(encoder, group)
    return found
