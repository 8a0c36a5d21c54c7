"""What services with OpenAI's chat shape share: one call, an upload as a form, a result line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from indexer.domain.answer import Failure, Reason, Row
from indexer.domain.errors import NotFound, Refused, Unsendable
from indexer.providers import chat, jsonl, rates
from indexer.providers.http import Http
from indexer.providers.seam import BatchFile


def ask(http: Http, key: str, body: bytes, *, path: str = "chat/completions", timeout: float) -> Row:
    """Send one chat completion, once; a refusal of this photo is a `Failure`, what all would meet is raised."""
    try:
        said = http.send("describe the photo", "POST", path, content=body, timeout=timeout)
    except (NotFound, Unsendable):
        raise
    except Refused as refusal:
        if _is_every_photos(str(refusal)):
            raise
        return Row(key, Failure(Reason.REJECTED, str(refusal)))
    found = said.json("describe the photo")
    if isinstance(found.get("error"), dict) and not found.get("choices"):
        code = found["error"].get("code")
        raise http.as_error("describe the photo", replace(said, status=code if _is_status(code) else 502))
    outcome, usage = chat.read(found)
    return Row(key, outcome, usage, rates.room_left(said.headers, usage))


def _is_status(code: object) -> bool:
    return isinstance(code, int) and 400 <= code < 600


def _is_every_photos(words: str) -> bool:
    """Whether a refusal blames what all photos share."""
    blames = re.search(
        r"model|schema|response_format|unsupported (?:value|parameter)|unknown|max_(?:completion_)?tokens|context",
        words,
    )
    return bool(blames) and not re.search(r"image|picture|content policy|safety", words, re.IGNORECASE)


def upload(http: Http, shard: BatchFile, form: Mapping[str, str], path: str = "files") -> dict[str, Any]:
    """Send the batch file as a form, under its label, and return what the service says of it."""
    with shard.path.open("rb") as stream:
        files = {"file": (f"{shard.label}.jsonl", stream, "application/jsonl")}
        said = http.send(
            "upload the batch file", "POST", path, data=dict(form), files=files, timeout=http.timeouts.upload
        )
    return said.json("upload the batch file")


def decode(line: bytes) -> Row:
    """Read a result line in OpenAI's form, which Mistral shares; never raises."""
    key, found = jsonl.read_line(line)
    if found is None:
        return Row(key, Failure(Reason.MALFORMED, "the result line is not complete JSON"))
    response, error = found.get("response"), found.get("error")
    if isinstance(response, dict):
        status, body = response.get("status_code"), response.get("body")
        body = body if isinstance(body, dict) else {}
        if isinstance(status, int) and 200 <= status < 300:
            outcome, usage = chat.read(body, batch=True)
            return Row(key, outcome, usage)
        inner = body.get("error")
        return Row(key, chat.read_error(status, inner if isinstance(inner, dict) else body))
    if isinstance(error, dict):
        return Row(key, chat.read_error(error.get("status"), error))
    if isinstance(error, str) and error:
        return Row(key, chat.read_error(None, {"message": error}))
    return Row(key, Failure(Reason.MALFORMED, "the result line has neither response nor error"))
