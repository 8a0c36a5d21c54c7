"""Vertex's batch line, both ways.

Out: `{"request": <GenerateContentRequest>}`, whose label carries our key. In, in any order: the request again beside
`response` and `status`, which is "" for an answer and words for a failure. There is no other tie between the two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from indexer.domain.answer import Failure, Handling, Reason, Row
from indexer.domain.question import Request
from indexer.providers.answer import one_line
from indexer.providers.google.schema import SchemaField
from indexer.providers.google.wire import Spelling, encode_request, read_error, read_response

LABEL = "captionary"
RESULT = re.compile(rb'"(?:request|response|status|processed_time)"\s*:')
_RESCUED = re.compile(rb'"captionary"\s*:\s*"([a-z0-9_-]{1,63})"')
_PASSING = re.compile(
    r"internal|unavailable|deadline|exhausted|try again|timed? ?out|\b(?:429|499|5\d\d)\b", re.IGNORECASE
)


def encode_line(request: Request) -> bytes:
    """Return the request as a line of the batch file, without the newline."""
    label = json.dumps(request.key).encode("ascii")
    return b'{"request":{"labels":{"captionary":%b},%b}' % (label, encode_call(request)[1:])


def encode_call(request: Request) -> bytes:
    """Return the body of a single call."""
    return encode_request(request, SchemaField.OPENAPI, Spelling.CAMEL)


def decode_line(line: bytes) -> Row:
    """Read a result line; never raises."""
    try:
        found = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        rescued = _RESCUED.search(line)
        key = rescued[1].decode("ascii") if rescued else None
        return Row(key, Failure(Reason.MALFORMED, "the result line is not complete JSON"))
    if not isinstance(found, dict):
        return Row(None, Failure(Reason.MALFORMED, "the result line is not a JSON object"))
    key, response, status = _key(found), found.get("response"), found.get("status")
    if isinstance(response, dict) and (response or not status):
        return Row(key, *read_response(response))
    if status:
        return Row(key, _failure(status))
    return Row(key, Failure(Reason.MALFORMED, "the result line has neither response nor status"))


def _key(found: Mapping[str, Any]) -> str | None:
    """The label of the request that comes back."""
    request = found.get("request")
    labels = request.get("labels") if isinstance(request, dict) else None
    key = labels.get(LABEL) if isinstance(labels, dict) else None
    return key if isinstance(key, str) and key else None


def _failure(status: object) -> Failure:
    """Words, often with the service's own error as JSON among them."""
    words = status if isinstance(status, str) else json.dumps(status)
    inner = words[max(words.find("{"), 0) : words.rfind("}") + 1]
    try:
        told = json.loads(inner)
    except (ValueError, RecursionError):
        told = None
    error = told.get("error", told) if isinstance(told, dict) else None
    if isinstance(error, dict) and error.get("code") is not None:
        return read_error(error)
    if "cancel" in words.lower():
        return Failure(Reason.MISSING, "cancelled before it was served", Handling.AGAIN)
    return Failure(Reason.SERVER_ERROR if _PASSING.search(words) else Reason.REJECTED, one_line(words))
