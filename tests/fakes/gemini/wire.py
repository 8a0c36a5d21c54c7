"""Replies and errors in the shape of the public service."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_TYPE = "type.googleapis.com/google.rpc."
_HTTP = {1: 499, 3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 9: 400, 13: 500, 14: 503, 16: 401}
_STATUS = {
    1: "CANCELLED",
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    16: "UNAUTHENTICATED",
}

EXHAUSTED = "Resource has been exhausted (e.g. check quota)."
OPAQUE = "Request contains an invalid argument."
NO_CREDIT = (
    "Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage your "
    "project and billing."
)
NO_FILE = "You do not have permission to access the File {id} or it may not exist."


class ApiError(Exception):
    """A refusal as the service words it; `code` is a google.rpc code."""

    def __init__(self, code: int, message: str, details: Sequence[Json] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = list(details)

    @property
    def http(self) -> int:
        """The HTTP status that carries this error."""
        return _HTTP[self.code]

    def body(self) -> Json:
        """Return the error document."""
        error: Json = {"code": self.http, "message": self.message, "status": _STATUS[self.code]}
        if self.details:
            error["details"] = self.details
        return {"error": error}

    def row(self) -> Json:
        """Return the google.rpc.Status that stands in a result line."""
        return {"code": self.code, "message": self.message}


@dataclass(slots=True)
class Reply:
    """What goes back over the wire: bytes, or a file that is streamed."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json; charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict)
    file: Path | None = None

    def length(self) -> int:
        """Return the length of the body in bytes."""
        return self.file.stat().st_size if self.file is not None else len(self.body)


def json_reply(document: Mapping[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """Return a JSON reply, indented as the service does it."""
    return Reply(json.dumps(document, indent=2).encode(), status, headers=headers or {})


def error_reply(error: ApiError) -> Reply:
    """Return the reply that carries an error."""
    return json_reply(error.body(), error.http)


def bad_request(violations: Sequence[tuple[str, str]]) -> ApiError:
    """Return the 400 that lists field violations, given as (path, description)."""
    fields = [{"field": path, "description": text} if path else {"description": text} for path, text in violations]
    detail = {"@type": _TYPE + "BadRequest", "fieldViolations": fields}
    return ApiError(3, "\n".join(text for _, text in violations), [detail])


def unknown_name(name: str, path: str) -> tuple[str, str]:
    """Return the violation for a field that the message does not have."""
    at = f" at '{path}'" if path else ""
    return path, f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.'


def key_not_valid() -> ApiError:
    """Return the 400 for a key that the service does not know."""
    text = "API key not valid. Please pass a valid API key."
    info = {
        "@type": _TYPE + "ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com"},
    }
    return ApiError(3, text, [info, {"@type": _TYPE + "LocalizedMessage", "locale": "en-US", "message": text}])


def key_missing() -> ApiError:
    """Return the 403 for a call without a key."""
    return ApiError(
        7,
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or "
        "other form of API consumer identity to call this API.",
    )


def key_leaked() -> ApiError:
    """Return the 403 for a key that was found in public."""
    return ApiError(7, "Your API key was reported as leaked. Please use another API key.")


def quota_exceeded(metric: str, limit: int, model: str = "", retry_seconds: float | None = None) -> ApiError:
    """Return the detailed 429 that names a quota; `retry_seconds` adds the service's own delay."""
    dimension = f", model: {model}" if model else ""
    text = (
        "You exceeded your current quota, please check your plan and billing details. For more information on this "
        "error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. \n"
        f"* Quota exceeded for metric: generativelanguage.googleapis.com/{metric}, limit: {limit}{dimension}"
    )
    violation: Json = {
        "quotaMetric": f"generativelanguage.googleapis.com/{metric}",
        "quotaId": "".join(word.capitalize() for word in metric.split("_")),
        "quotaValue": str(limit),
    }
    if model:
        violation["quotaDimensions"] = {"location": "global", "model": model}
    details: list[Json] = [{"@type": _TYPE + "QuotaFailure", "violations": [violation]}]
    if retry_seconds is not None:
        text += f"\nPlease retry in {retry_seconds}s."
        details.append({"@type": _TYPE + "RetryInfo", "retryDelay": f"{retry_seconds:g}s"})
    return ApiError(8, text, details)


def file_denied(name: str) -> ApiError:
    """Return the 403 for a file that is gone, foreign or never was: the service does not say which."""
    return ApiError(7, NO_FILE.format(id=name.removeprefix("files/")))
