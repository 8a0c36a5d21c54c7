"""Google's requests and answers, and the Gemini batch line around them, both ways.

Out: `{"key": ..., "request": <GenerateContentRequest>}`, text before image so that prefixes are shared. In:
`{"key": ..., "response": <GenerateContentResponse>}` or `{"key": ..., "error": <google.rpc.Status>}`, in any
order, with fields unknown to this code, and with everything else that the tests list. Lines are read as plain
JSON, because the SDK's models refuse every field that a newer server adds.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

from indexer.domain.answer import Answer, Failure, Handling, Reason, Row, Usage
from indexer.domain.errors import BadSetting
from indexer.domain.question import Question, Request
from indexer.providers.answer import clean, one_line, read_answer
from indexer.providers.google.faults import is_credit, is_file_gone, is_key
from indexer.providers.google.models import thinking_config
from indexer.providers.google.schema import SchemaField, answer_schema

_RESOLUTIONS = ("low", "medium", "high")
_RESCUED_KEY = re.compile(rb'"key"\s*:\s*"([A-Za-z0-9_-]{1,64})"')
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLOCKED = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "MODEL_ARMOR",
        "JAILBREAK",
        "ESCALATION",
        "PUP_LIMITED_DISABLED",
    }
)
_UNSPECIFIED = frozenset({"", "BLOCK_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED"})
_CANCELLED = 1
_PERMISSION_DENIED = 7
_UNAUTHENTICATED = 16
_SERVER_CODES = frozenset({2, 4, 8, 10, 13, 14, 15, 429, 499, 500, 502, 503, 504})
_MOST_TOKENS = 1 << 40


class Spelling(Enum):
    """How names are spelt: the names of a blob, its mime type, and the configuration."""

    SNAKE = (b"inline_data", b"mime_type", b"generation_config")
    CAMEL = (b"inlineData", b"mimeType", b"generationConfig")


def encode_request(request: Request, field: SchemaField, spelling: Spelling = Spelling.SNAKE) -> bytes:
    """Return the GenerateContentRequest of `request`; batch lines and single calls carry the same bytes."""
    prompt = _SURROGATE.sub("\ufffd", request.prompt)
    blob, kind, config = spelling.value
    return b"".join(
        (
            b'{"contents":[{"role":"user","parts":[',
            # An empty text part is answered with HTTP 500, so there is none.
            b'{"text":' + json.dumps(prompt).encode("ascii") + b"}," if prompt.strip() else b"",
            b'{"%b":{"%b":%b,"data":"' % (blob, kind, json.dumps(request.mime_type).encode("ascii")),
            binascii.b2a_base64(request.image, newline=False),
            b'"}}]}],"%b":' % config,
            _generation_config(request.question, request.max_output_tokens, field, spelling),
            b"}",
        )
    )


def encode_line(request: Request, field: SchemaField) -> bytes:
    """Return `request` as one line of a batch file, without the newline."""
    key = json.dumps(request.key).encode("ascii")
    return b"".join((b'{"key":', key, b',"request":', encode_request(request, field), b"}"))


@lru_cache(maxsize=64)
def _generation_config(
    question: Question, max_output_tokens: int | None, field: SchemaField, spelling: Spelling
) -> bytes:
    """The part of a line that all photos of a question share; encoded once."""
    settings = question.settings
    config: dict[str, Any] = {
        "temperature": settings.temperature,
        "max_output_tokens": max_output_tokens or settings.max_output_tokens,
        "response_mime_type": "application/json",
        field.value: answer_schema(question.schema, field),
    }
    if settings.media_resolution != "default":
        if settings.media_resolution not in _RESOLUTIONS:
            raise BadSetting(
                f"unknown media resolution {settings.media_resolution!r}",
                hint=f"one of: default, {', '.join(_RESOLUTIONS)}",
            )
        config["media_resolution"] = f"MEDIA_RESOLUTION_{settings.media_resolution.upper()}"
    thinking = thinking_config(question.model, settings.thinking)
    if thinking:
        config["thinking_config"] = thinking
    told = config if spelling is Spelling.SNAKE else _camel(config)
    return json.dumps(told, separators=(",", ":")).encode("ascii")


def _camel(value: Any, *, names: bool = True) -> Any:
    """Spell names in camelCase; those of an answer's own fields, and a schema in JSON's words, stay as they are."""
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        (re.sub(r"(?<=.)_([a-z])", lambda match: match[1].upper(), name) if names else name): (
            item if name == SchemaField.JSON else _camel(item, names=not names or name != "properties")
        )
        for name, item in value.items()
    }


def decode_line(line: bytes) -> Row:
    """Read one result line; whatever the bytes, a row comes back and nothing is raised."""
    try:
        found = json.loads(line.decode("utf-8-sig"))
        if not isinstance(found, dict):
            return Row(None, Failure(Reason.MALFORMED, "the result line is not a JSON object"))
        return _read_row(found)
    except UnicodeDecodeError:
        return Row(_rescue_key(line), Failure(Reason.MALFORMED, "the result line is not UTF-8"))
    except (ValueError, RecursionError):
        return Row(_rescue_key(line), Failure(Reason.MALFORMED, "the result line is not complete JSON"))


def _rescue_key(line: bytes) -> str | None:
    """A torn line seldom has its key, which stands last; a flipped bit elsewhere leaves it readable."""
    found = _RESCUED_KEY.findall(line)
    return str(found[-1], "ascii") if found else None


def _read_row(found: Mapping[str, Any]) -> Row:
    key = _read_key(found)
    error, response = found.get("error"), found.get("response")
    if isinstance(response, dict) and (response or not error):
        return Row(key, *read_response(response))
    if error:
        return Row(key, read_error(error if isinstance(error, dict) else {"message": str(error)}))
    return Row(key, Failure(Reason.MALFORMED, "the result line has neither response nor error"))


def _read_key(found: Mapping[str, Any]) -> str | None:
    """File results carry the key on top, inline results in their metadata."""
    key = found.get("key")
    if key is None and isinstance(found.get("metadata"), dict):
        key = found["metadata"].get("key")
    if isinstance(key, int) and not isinstance(key, bool):
        key = str(key)
    return clean(key) if isinstance(key, str) and key else None


def read_error(error: Mapping[str, Any]) -> Failure:
    """Read a google.rpc.Status; its message may be absent."""
    code = _count(error.get("code"))
    message = error.get("message") if isinstance(error.get("message"), str) else ""
    words = one_line(message or str(error.get("status") or ""))
    detail = f"{words} (code {code})" if words else f"the service gave no reason (code {code})"
    if code == _CANCELLED:
        return Failure(Reason.MISSING, "cancelled before it was served", Handling.AGAIN)
    if code == _UNAUTHENTICATED or is_credit(words) or is_key(words):
        return Failure(Reason.REJECTED, detail, Handling.PAUSE)
    if code in (_PERMISSION_DENIED, 403) and is_file_gone(words):
        return Failure(Reason.REJECTED, detail, Handling.AGAIN)
    if code in _SERVER_CODES or code is None:
        return Failure(Reason.SERVER_ERROR, detail)
    return Failure(Reason.REJECTED, detail)


def read_response(response: Mapping[str, Any]) -> tuple[Answer | Failure, Usage | None]:
    """Read a GenerateContentResponse: the outcome, and what it is charged for."""
    return _outcome(response), _read_usage(response.get("usageMetadata"))


def _outcome(response: Mapping[str, Any]) -> Answer | Failure:
    candidates = response.get("candidates")
    candidate = candidates[0] if isinstance(candidates, list) and candidates else None
    if not isinstance(candidate, dict):
        return _without_candidate(response.get("promptFeedback"))
    finish = str(candidate.get("finishReason") or "")
    if finish in _BLOCKED:
        words = candidate.get("finishMessage")
        return Failure(Reason.BLOCKED, one_line(f"the answer was blocked: {finish} {words or ''}"))
    model = response.get("modelVersion")
    try:
        return read_answer(_text_of(candidate), model if isinstance(model, str) else "")
    except ValueError as problem:
        if finish == "MAX_TOKENS":
            return Failure(Reason.TRUNCATED, "the answer was cut off at the output limit")
        ending = "" if finish in ("", "STOP") else f" (finished for {finish})"
        return Failure(Reason.MALFORMED, one_line(f"{problem}{ending}"))


def _without_candidate(feedback: object) -> Failure:
    reason = str(feedback.get("blockReason") or "") if isinstance(feedback, dict) else ""
    if reason not in _UNSPECIFIED:
        return Failure(Reason.BLOCKED, one_line(f"the request was blocked: {reason}"))
    return Failure(Reason.MALFORMED, "the response is empty")


def _text_of(candidate: Mapping[str, Any]) -> str:
    """All text that is not a thought; one answer may come in several parts."""
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    texts = [
        part["text"]
        for part in (parts if isinstance(parts, list) else ())
        if isinstance(part, dict) and isinstance(part.get("text"), str) and not part.get("thought")
    ]
    return "".join(texts)


def _read_usage(usage: object) -> Usage | None:
    """None where the service does not say: unknown, not zero."""
    if not isinstance(usage, dict):
        return None
    prompt = _count(usage.get("promptTokenCount"))
    if prompt is None:
        return None
    answer = _count(usage.get("candidatesTokenCount")) or 0
    return Usage(prompt, answer + (_count(usage.get("thoughtsTokenCount")) or 0))


def _count(value: object) -> int | None:
    """The service writes 64-bit numbers as strings, sometimes."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS:
        return value
    return None
