"""Turn what the service says when it says no into our errors, without ever repeating the key.

The service reports quota, billing and key trouble under overlapping codes, so its words decide: "check your
plan and billing details" stands in every plain 429, while depleted credit is also a 429.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from indexer.domain.errors import KeyRefused, NoCredit, NotFound, ProviderError, RateLimited, Refused, Unreachable
from indexer.providers.redaction import redacted_line

KEY_VARIABLE = "GEMINI_API_KEY"
KEY_PAGE = "https://aistudio.google.com/apikey"
KEY_HINT = f"put a key from {KEY_PAGE} into {KEY_VARIABLE} or GOOGLE_API_KEY"
_CREDIT_HINT = (
    "batch needs a paid tier: enable billing for the key's project, or use --mode interactive "
    "(what a free key sends may be used for training)"
)

_CREDIT = re.compile(
    r"credits? (?:balance|is|are|has|have)\b|prepa(?:y|id)|insufficient (?:credit|fund|balance)|no credit"
    r"|enable billing|billing (?:account|is|has|not)|billing to be enabled|paid (?:tier|plan)"
    r"|free[ _]tier (?:is not|does not|do not)|free_tier\S{0,80},? limit: 0\b|spend(?:ing)? (?:cap|limit)",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"api[ _-]?key (?:not|is|was|has|expired|invalid|not valid)|API_KEY_INVALID|invalid api[ _-]?key"
    r"|API key expired|consumer \S+ has been suspended|reported as leaked|unregistered callers",
    re.IGNORECASE,
)
_FILE_GONE = re.compile(
    r"permission to access the file|may not exist|file .{0,200}(?:expired|not found)", re.IGNORECASE
)
_EVERY_PHOTO = re.compile(
    r"unknown name|invalid json payload|thinking|schema|generation_?config|media_?resolution|not supported",
    re.IGNORECASE,
)
_ONE_PHOTO = re.compile(r"image|picture|mime|inline_?data|blob", re.IGNORECASE)
_UNKNOWN_OUTCOME = frozenset({408, 499})


@dataclass(frozen=True, slots=True)
class GoogleRefusal:
    """What the service said: HTTP or google.rpc code, status name, message, seconds it asks to wait."""

    code: int
    status: str
    message: str
    retry_after: float | None = None


def is_credit(message: str) -> bool:
    """Whether the words say that the account cannot pay."""
    return bool(_CREDIT.search(message))


def is_key(message: str) -> bool:
    """Whether the words say that the key is no good."""
    return bool(_KEY.search(message))


def is_file_gone(message: str) -> bool:
    """Whether the words say that a file expired or is another project's; the service does not tell which."""
    return bool(_FILE_GONE.search(message))


def is_every_photos(message: str) -> bool:
    """Whether the words blame what all photos share: settings, schema, the caller's country."""
    return bool(_EVERY_PHOTO.search(message)) and not _ONE_PHOTO.search(message)


def read_refusal(code: int, payload: object) -> GoogleRefusal:
    """Read an error body of whatever shape; a body that is none leaves only the code."""
    body = payload[0] if isinstance(payload, list) and payload else payload
    if isinstance(body, Mapping):
        error = body.get("error")
        inner: Mapping[str, Any] = error if isinstance(error, Mapping) else body
        return GoogleRefusal(
            code,
            str(inner.get("status") or ""),
            str(inner.get("message") or ""),
            _retry_delay(inner.get("details")),
        )
    return GoogleRefusal(code, "", payload if isinstance(payload, str) else "")


def _retry_delay(details: object) -> float | None:
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, Mapping) else None
        if isinstance(delay, str) and re.fullmatch(r"\d{1,6}(?:\.\d{1,9})?s", delay):
            return float(delay[:-1])
    return None


def as_error(what: str, refusal: GoogleRefusal, key: str) -> ProviderError:
    """Return the error that `refusal` means; `what` is what was being done, "create the batch job"."""
    words = redacted_line(refusal.message, key) or refusal.status or "no reason given"
    text = f"could not {what}: {words} (HTTP {refusal.code})"
    code, message = refusal.code, f"{refusal.status} {refusal.message}"
    if code >= 500 or code < 400 or code in _UNKNOWN_OUTCOME:
        return Unreachable(text, hint="try again later; nothing that was paid for is lost")
    if is_credit(message):
        return NoCredit(text, hint=_CREDIT_HINT)
    if code == 429:
        return RateLimited(text, hint="wait, or ask for a higher tier", retry_after=refusal.retry_after)
    if code == 404 or (code == 403 and is_file_gone(message)):
        return NotFound(text, hint="files and results are kept 48 hours, for the project of the key that made them")
    if code in (401, 403) or is_key(message):
        return KeyRefused(text, hint=KEY_HINT)
    return Refused(text, hint="check what was sent with: index check FILE.jsonl")
