"""OpenAI's chat shape, which many services speak: a request as its body, a completion as a row.

The prompt stands first and the picture last, so that what all photos share can be read from a service's cache.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from indexer.domain.answer import Answer, Failure, Handling, Reason, Usage
from indexer.domain.mode import Mode
from indexer.domain.question import Request
from indexer.providers.answer import one_line, read_answer
from indexer.providers.strict_schema import strict

_PICTURE = "@picture@"
_MOST = 1 << 40
_SERVER_CODES = frozenset({0, 408, 409, 429, 500, 502, 503, 504, 529})


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one service's chat differs from the next.

    `room` names the field of the output limit. `schema` says how answers are held to the schema: "json_schema",
    "json_object" (then it stands in the prompt too) or "prompt" (there only). `detail` is the picture's, "" to leave
    it out; `extra` returns further fields of the body for a request.
    """

    room: str = "max_tokens"
    schema: str = "json_schema"
    detail: str = ""
    temperature: bool = True
    extra: Callable[[Request], Mapping[str, Any]] = lambda _: {}


def body(request: Request, dialect: Dialect, *, model: bool = True) -> bytes:
    """Return the body of a chat completion as UTF-8 JSON; `model` False leaves the model out."""
    question = request.question
    settings = question.settings
    prompt = request.prompt if dialect.schema == "json_schema" else f"{request.prompt}\n\n{_spelt(question.schema)}"
    picture: dict[str, Any] = {"url": _PICTURE} | ({"detail": dialect.detail} if dialect.detail else {})
    content = [{"type": "text", "text": prompt}] if prompt.strip() else []
    told: dict[str, Any] = {
        **({"model": question.model} if model else {}),
        "messages": [{"role": "user", "content": [*content, {"type": "image_url", "image_url": picture}]}],
        dialect.room: request.max_output_tokens or settings.max_output_tokens,
        **({"temperature": settings.temperature} if dialect.temperature else {}),
        **_format(dialect.schema, question.schema),
        **dialect.extra(request),
    }
    text = json.dumps(told, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    before, _, after = text.rpartition(f'"{_PICTURE}"'.encode("ascii"))
    kind = request.mime_type.encode("ascii")
    encoded = binascii.b2a_base64(request.image, newline=False)
    return b"".join((before, b'"data:', kind, b";base64,", encoded, b'"', after))


def _format(how: str, schema: str) -> dict[str, Any]:
    if how == "json_schema":
        named = {"name": "photo", "strict": True, "schema": strict(schema)}
        return {"response_format": {"type": "json_schema", "json_schema": named}}
    return {"response_format": {"type": "json_object"}} if how == "json_object" else {}


def _spelt(schema: str) -> str:
    """Tell a service that does not enforce schemas what to answer."""
    return f"Answer with one JSON object and nothing else, by this JSON Schema:\n{schema}"


def read(found: Mapping[str, Any], *, batch: bool = False) -> tuple[Answer | Failure, Usage | None]:
    """Return what a chat completion says, and what it cost (None: it does not say).

    A completion in a `batch` is billed as one, whatever tier it names.
    """
    usage = read_usage(found)
    if batch and usage is not None:
        usage = replace(usage, mode=None)
    choices = found.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        return Failure(Reason.MALFORMED, "the answer has no message"), usage
    if isinstance(choice.get("error"), dict):
        return read_error(choice["error"].get("code"), choice["error"]), usage
    finish = str(choice.get("finish_reason") or "")
    if message.get("refusal") or finish == "content_filter":
        return Failure(Reason.BLOCKED, one_line(f"the model refused: {message.get('refusal') or finish}")), usage
    model = found.get("model")
    try:
        return read_answer(_text(message.get("content")), model if isinstance(model, str) else ""), usage
    except ValueError as problem:
        if finish == "length":
            return Failure(Reason.TRUNCATED, "the answer was cut off at the output limit"), usage
        return Failure(Reason.MALFORMED, one_line(str(problem))), usage


def read_error(status: object, error: Mapping[str, Any]) -> Failure:
    """Return why one request of many failed, by HTTP status and error object."""
    code = str(error.get("code") or error.get("type") or "")
    message = error.get("message")
    words = one_line(message if isinstance(message, str) else json.dumps(message))
    detail = f"{words} ({code or status})" if words else f"the service gave no reason ({code or status})"
    if code == "batch_expired":
        return Failure(Reason.EXPIRED, detail)
    if code in ("batch_cancelled", "request_cancelled"):
        return Failure(Reason.MISSING, detail, Handling.AGAIN)
    if code in ("insufficient_quota", "invalid_api_key") or "credit balance" in words or status in (401, 402):
        return Failure(Reason.REJECTED, detail, Handling.PAUSE)
    number = status if isinstance(status, int) and not isinstance(status, bool) else 0
    return Failure(Reason.SERVER_ERROR if number in _SERVER_CODES else Reason.REJECTED, detail)


def read_usage(found: Mapping[str, Any]) -> Usage | None:
    """Return the usage of a completion; None where the service does not say."""
    usage = found.get("usage")
    if not isinstance(usage, dict):
        return None
    entered, left = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    if entered is None:
        return None
    details = usage.get("prompt_tokens_details")
    inner: Mapping[str, Any] = details if isinstance(details, dict) else {}
    return Usage(
        entered,
        left or 0,
        cached_tokens=count(inner.get("cached_tokens")) or count(usage.get("prompt_cache_hit_tokens")) or 0,
        cache_write_tokens=count(inner.get("cache_write_tokens")) or 0,
        usd=_dollars(usage.get("cost")),
        mode=_tier(found.get("service_tier")),
    )


def _tier(told: object) -> Mode | None:
    return {"flex": Mode.FLEX, "default": Mode.INTERACTIVE, "standard": Mode.INTERACTIVE}.get(str(told))


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict) and part.get("type") in ("text", None))
    return "".join(text for text in texts if isinstance(text, str))


def count(value: object) -> int | None:
    """Return a number of tokens or requests, None for what is none, or none that a ledger could hold."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST else None


def _dollars(value: object) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MOST
    return float(value) if known else None  # type: ignore[arg-type]
