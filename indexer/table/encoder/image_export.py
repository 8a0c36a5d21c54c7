"""Make the two towers of an image-text model that a person names, int8 ONNX, and prove that they agree with it.

One tower turns texts, the other pictures into vectors of one space. The model is any of sentence-transformers that
does both in one module, such as CLIP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.domain.errors import BadSetting, first_line
from indexer.table.encoder.export import LEAST_AGREEMENT, OPSET, made_with, quantise, scratch_folder
from indexer.table.encoder.image import ImageEncoder, Preparation
from indexer.table.encoder.onnx import EXPORT_VERSION, TOKENIZER, Manifest, sha256
from indexer.table.encoder.quiet import quiet
from indexer.table.encoder.scale import ASKED, DESCRIBED

if TYPE_CHECKING:
    from PIL.Image import Image
    from sentence_transformers import SentenceTransformer

_HINT = "name a folder with an image-text model of sentence-transformers, or one of a hub that can be reached"
_TOKENS = 77
_SHAPES = ((1, 1), (3, 2), (2, 3), (16, 9))


def export_image_encoder(name: str, directory: Path) -> None:
    """Write both towers of the model `name`, a folder or a name at its hub, into `directory`; or `BadSetting`."""
    folder = Path(name).expanduser()
    with quiet(offline=folder.is_dir()):
        try:
            original = _load(str(folder) if folder.is_dir() else name)
            _write_towers(original, directory)
        except Exception as fault:  # whatever networks, files and their shapes can be wrong with
            raise BadSetting(f"image_model {name!r} cannot be used: {first_line(fault)}", hint=_HINT) from fault
        manifest = _manifest(name, folder, original)
        manifest.write(directory)
        encoder = ImageEncoder.open(directory)
        agreement = _agreement(original, encoder)
    if not agreement >= LEAST_AGREEMENT:
        raise BadSetting(
            f"image_model {name!r} cannot be exported faithfully (cosine {agreement:.3f})",
            hint="name another one, such as clip-ViT-B-32",
        )
    encoder.keep_neutral(directory)
    replace(manifest, agreement=round(agreement, 4)).write(directory)


def _load(place: str) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    # The fused attention kernels cannot be traced into plain ONNX operators.
    original = SentenceTransformer(place, device="cpu", model_kwargs={"attn_implementation": "eager"})
    ways = original[0].modality_config
    if not {"text", "image"} <= ways.keys():
        raise ValueError("it does not embed both texts and pictures")
    return original


def _write_towers(original: SentenceTransformer, directory: Path) -> None:
    preparation = Preparation.of(original[0].processor.image_processor)
    with scratch_folder(directory) as scratch:
        for tower, (inputs, example) in _examples(original, preparation).items():
            exact = scratch / f"{tower}.onnx"
            _trace(_tower(original, tower, inputs), inputs, example, exact)
            quantise(exact, directory / exact.name)
    original[0].processor.tokenizer.backend_tokenizer.save(str(directory / TOKENIZER))
    preparation.write(directory)


def _examples(original: SentenceTransformer, preparation: Preparation) -> dict[str, tuple[str, Any]]:
    import torch

    ids = original[0].processor.tokenizer(DESCRIBED[0], return_tensors="pt")["input_ids"]
    return {"text": ("input_ids", ids), "image": ("pixel_values", torch.zeros(1, 3, *preparation.shape))}


def _tower(original: SentenceTransformer, tower: str, inputs: str) -> Any:
    """A module from token ids (1, n) or pixels (1, 3, height, width) to a vector of length 1, shape (1, dimension)."""
    import torch

    way = original[0].modality_config[tower]
    method: Callable[..., Any] = getattr(original[0].model, way["method"])
    output = way["method_output_name"]

    class Tower(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = original[0].model

        def forward(self, values: Any) -> Any:
            told = method(**{inputs: values})
            for name in (output,) if isinstance(output, str) else tuple(output or ()):
                told = told[name]
            return torch.nn.functional.normalize(told, dim=1)

    return Tower().eval()


def _trace(module: Any, inputs: str, example: Any, target: Path) -> None:
    import torch

    torch.onnx.export(
        module,
        (example,),
        str(target),
        input_names=[inputs],
        output_names=["vector"],
        dynamic_axes={"input_ids": {1: "tokens"}} if inputs == "input_ids" else None,
        opset_version=OPSET,
        dynamo=False,
    )


def _manifest(name: str, folder: Path, original: SentenceTransformer) -> Manifest:
    weights = folder / "model.safetensors"
    return Manifest(
        name=name,
        dimension=len(original.encode("dog", show_progress_bar=False)),
        max_tokens=int(original.max_seq_length or _TOKENS),
        weights_sha256=sha256(weights),
        export_version=EXPORT_VERSION,
        agreement=0.0,
        made_with=made_with(),
    )


def _agreement(original: SentenceTransformer, encoder: ImageEncoder) -> float:
    """The least cosine of a vector of the export with that of the original, over texts and pictures."""
    import numpy as np

    texts = DESCRIBED[:3] + ASKED[:3]
    pictures = _pictures()

    def expected(values: list[Any]) -> Any:
        return original.encode(values, normalize_embeddings=True, show_progress_bar=False, batch_size=1)

    of_texts = (encoder.texts(texts) * expected(list(texts))).sum(axis=1).min()
    of_pictures = (np.array([*map(encoder.picture, pictures)]) * expected(list(pictures))).sum(axis=1).min()
    return float(min(of_texts, of_pictures))


def _pictures() -> list[Image]:
    """Pictures of several shapes: fine and coarse patterns in all colours."""
    import numpy as np
    from PIL import Image

    draw = np.random.default_rng(5)
    found = []
    for wide, high in _SHAPES:
        coarse = Image.fromarray(draw.integers(0, 256, (high * 2, wide * 2, 3), dtype=np.uint8))
        found.append(coarse.resize((wide * 64, high * 64), Image.Resampling.BICUBIC))
    return found
