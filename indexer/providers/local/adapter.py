"""The keyless provider at work.

Its answers name their maker, so that a model that does understand replaces them later. It opens no socket.
"""

from __future__ import annotations

from PIL import Image

from indexer.domain.answer import Answer, Failure, Reason, Row
from indexer.domain.errors import Refused
from indexer.domain.question import Question, Request
from indexer.media.rendition import DECODER_FAULTS, decode
from indexer.media.text import read_text, text_installed
from indexer.providers.answer import one_line
from indexer.providers.local import LABELS_MODEL, MODEL, READS, SPEC, labels, pixels
from indexer.providers.spec import Opening


class Local:
    """Describes shape, light, colours and sharpness of a picture on this machine, for nothing."""

    spec = SPEC
    batches = None

    def ask(self, request: Request) -> Row:
        """Describe the picture of `request`; one that cannot be decoded is a `Failure`."""
        try:
            picture = decode(request.image).convert("RGB")
        except DECODER_FAULTS as error:
            detail = one_line(f"the rendition cannot be decoded: {error}")
            return Row(request.key, Failure(Reason.UNREADABLE, detail))
        return Row(request.key, _described(picture, request.question.model or MODEL))

    def model(self) -> str:
        """Return the default model."""
        return SPEC.default_model

    def check(self, question: Question) -> str:
        """Nothing is asked, so nothing is refused."""
        return ""

    def close(self) -> None:
        """Nothing is open."""


def open_local(opening: Opening) -> Local:
    """Return the provider; it needs nothing."""
    return Local()


def _described(picture: Image.Image, model: str) -> Answer:
    seen = pixels.look(picture)
    labelled, reads = LABELS_MODEL in model, model.endswith(READS)
    guesses = labels.guesses(picture) if labelled else []
    fields: dict[str, object] = {
        "source": "pixels",
        "colours": [{"name": name, "share": round(share, 2)} for name, share in seen.colours],
    }
    if guesses:
        fields["labels"] = [
            {"name": one.name, "p": round(one.probability, 3), "model": LABELS_MODEL} for one in guesses
        ]
    told = labels.told(guesses)
    description = pixels.sentence(seen) + (f" Possibly: {', '.join(told)}." if told else "")
    visible = _text(picture) if reads else ""
    answered = model if labelled or reads else MODEL
    return Answer(description, pixels.tags(seen), visible, fields=fields, model=answered)


def _text(picture: Image.Image) -> str:
    if not text_installed():
        raise Refused("reading text is not installed", hint="pip install '.[ocr]' in the folder of Captionary")
    return read_text(picture)
