"""A rendition's pixels -> what they say: measures always, guesses and text where the extras are there."""

from __future__ import annotations

from PIL import Image

from indexer.domain.answer import Answer, Failure, Reason, Row
from indexer.domain.errors import Refused
from indexer.domain.question import Request
from indexer.media.rendition import DECODER_FAULTS, decode
from indexer.media.text import read_text, text_installed
from indexer.providers.answer import one_line
from indexer.providers.local import LABELS_MODEL, MODEL, READS, labels, pixels


def describe(request: Request) -> Row:
    """Describe the picture of `request`; one that cannot be decoded is a `Failure`."""
    try:
        picture = decode(request.image).convert("RGB")
    except DECODER_FAULTS as error:
        detail = one_line(f"the rendition cannot be decoded: {error}")
        return Row(request.key, Failure(Reason.UNREADABLE, detail))
    return Row(request.key, _described(picture, request.question.model or MODEL))


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
