"""A text encoder that a person names: any sentence-transformers model, copied into the library.

It is served by sentence-transformers, so every search with it waits for torch, which the default encoder does not.
Documents and queries go through the same call, one text at a time on one thread, so that equal texts have equal
vectors; a model that wants different prompts for the two is not served well.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.domain.errors import BadSetting, first_line
from indexer.table.encoder.onnx import EXPORT_VERSION, Encoder, Manifest, broken
from indexer.table.encoder.quiet import quiet
from indexer.table.encoder.scale import unrelated

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FOLDER = "model"


def copy_model(name: str, directory: Path) -> None:
    """Copy the model `name`, a folder or a name at its hub, and its manifest into `directory`; or `BadSetting`."""
    folder = Path(name).expanduser()
    with quiet(offline=folder.is_dir()):
        try:
            model = _load(str(folder) if folder.is_dir() else name)
            mean, deviation = unrelated(_encoding(model))
            dimension = len(model.encode("dog", show_progress_bar=False))
        except Exception as fault:  # whatever networks, files and their shapes can be wrong with
            raise BadSetting(
                f"text_model {name!r} cannot be loaded: {first_line(fault)}",
                hint="name a folder with a sentence-transformers model, or a model of a hub that can be reached",
            ) from fault
        model.save(str(directory / FOLDER), create_model_card=False)
    Manifest(
        name=name,
        dimension=dimension,
        max_tokens=0,  # the model knows
        weights_sha256="",
        export_version=EXPORT_VERSION,
        agreement=1.0,
        made_with=f"sentence-transformers {version('sentence-transformers')}",
        mean=mean,
        deviation=deviation,
    ).write(directory)


def open_named(manifest: Manifest, directory: Path) -> Encoder:
    """Load the model kept in `directory`; raises `LibraryError` when it is broken."""
    with quiet():
        try:
            model = _load(str(directory / FOLDER))
        except Exception as fault:  # whatever files and their shapes can be wrong with
            raise broken("text model", directory, fault) from fault
    return Encoder(manifest, _encoding(model))


def _encoding(model: SentenceTransformer) -> Callable[[Any], Any]:
    return partial(model.encode, normalize_embeddings=True, show_progress_bar=False)


def _load(place: str) -> SentenceTransformer:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    return SentenceTransformer(place, device="cpu")
