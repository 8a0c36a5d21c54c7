"""The keyless provider: it says what the pixels say, and nothing that would need understanding.

Its answers name their maker, so that a model that does understand replaces them later. It opens no socket.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Never

from PIL import Image

from indexer.domain.answer import Answer, Failure, Reason, Row
from indexer.domain.errors import Refused
from indexer.domain.job import Job, Limits
from indexer.domain.question import Mode, Question, Request
from indexer.media.rendition import DECODER_FAULTS, decode
from indexer.providers.answer import one_line, read_answer
from indexer.providers.local import labels, pixels

MODEL = "pixels-1"
LABELLED = f"{MODEL}+{labels.MODEL}"
"""The model's name with the extra `labels`; another name, because its answers are others."""
_UNBOUND = Limits(max_bytes=2**40, max_lines=2**31, max_queued_tokens=2**50)


class Local:
    """Describes shape, light, colours and sharpness of a picture on this machine, for nothing."""

    name = "local"
    modes: tuple[Mode, ...] = (Mode.INTERACTIVE,)
    free = True
    key_variable = ""

    def __init__(self) -> None:
        self.default_model = LABELLED if labels.installed() else MODEL

    def limits(self, model: str) -> Limits:
        """Return limits that nothing reaches."""
        return _UNBOUND

    def ask(self, request: Request) -> Row:
        """Describe the picture of `request`; one that cannot be decoded is a `Failure`."""
        try:
            picture = decode(request.image).convert("RGB")
        except DECODER_FAULTS as error:
            detail = one_line(f"the rendition cannot be decoded: {error}")
            return Row(request.key, Failure(Reason.UNREADABLE, detail))
        return Row(request.key, _described(picture, labelled=request.question.model == LABELLED))

    def refusal(self, question: Question) -> str:
        """Nothing is asked, so nothing is refused."""
        return ""

    def encode(self, request: Request) -> bytes:
        """Return the request as one JSON line."""
        image = base64.b64encode(request.image).decode("ascii")
        return _line({"key": request.key, "model": request.question.model, "image": image})

    def decode(self, line: bytes) -> Row:
        """Read a line that `result_line` wrote; anything else is a `Failure`."""
        key = None
        try:
            found = json.loads(line)
            key = found["key"] if isinstance(found["key"], str) else None
            return Row(key, _outcome(found))
        except (ValueError, TypeError, KeyError, RecursionError):
            return Row(key, Failure(Reason.MALFORMED, "the line is not a result of the local provider"))

    def upload(self, path: Path, display_name: str) -> str:
        """Refuse: there is no service to upload to."""
        return _no_batch()

    def create(self, question: Question, input_file: str, display_name: str) -> Job:
        """Refuse: there are no jobs."""
        return _no_batch()

    def find(self, display_name: str) -> list[Job]:
        """Refuse: there are no jobs."""
        return _no_batch()

    def poll(self, name: str) -> Job:
        """Refuse: there are no jobs."""
        return _no_batch()

    def fetch(self, job: Job, target: Path) -> None:
        """Refuse: there are no jobs."""
        _no_batch()

    def cancel(self, name: str) -> None:
        """Refuse: there are no jobs."""
        _no_batch()

    def discard(self, input_file: str) -> None:
        """Refuse: there is no service that holds a file."""
        _no_batch()


def result_line(row: Row) -> bytes:
    """Return `row` as the JSON line that `Local.decode` reads back."""
    outcome = row.outcome
    if isinstance(outcome, Failure):
        return _line({"key": row.key, "failure": {"reason": outcome.reason.value, "detail": outcome.detail}})
    said = {
        **outcome.fields,
        "description": outcome.description,
        "tags": list(outcome.tags),
        "visible_text": outcome.visible_text,
    }
    return _line({"key": row.key, "model": outcome.model, "answer": said})


def _described(picture: Image.Image, *, labelled: bool) -> Answer:
    seen = pixels.look(picture)
    label = labels.label(picture) if labelled else None
    fields: dict[str, object] = {
        "source": "pixels",
        "colours": [{"name": name, "share": round(share, 2)} for name, share in seen.colours],
    }
    if label is not None:
        fields["labels"] = [{"name": label.name, "p": round(label.probability, 2), "model": labels.MODEL}]
    description = pixels.sentence(seen) + (f" Possibly: {label.name}." if label else "")
    return Answer(description, pixels.tags(seen), fields=fields, model=LABELLED if labelled else MODEL)


def _outcome(found: dict[str, object]) -> Answer | Failure:
    failure = found.get("failure")
    if isinstance(failure, dict):
        return Failure(Reason(failure["reason"]), one_line(str(failure["detail"])))
    return read_answer(json.dumps(found["answer"]), str(found["model"]))


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _no_batch() -> Never:
    raise Refused("local has no batch interface", hint="use --mode interactive, or --provider gemini for batches")
