"""Keys struck out of text and files: the keys of this environment by their letters, others by their shape."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from indexer.providers.answer import one_line
from indexer.storage.atomic import whole_file

STRUCK = "[key]"
_SHORTEST = 8  # a shorter value of a variable is no key, and would be found in ordinary words
_PROXIES = re.compile(r"(?:HTTPS?|ALL)_PROXY", re.IGNORECASE)
_MARKS = ("sk-", "AIza", "AQ.", "ya29.", "api_key:")  # looked for first: it is much quicker than the expression
_SHAPES = re.compile(
    r"\bsk-[\w-]{12,}|\bAIza[\w-]{10,}|\bAQ\.[\w-]{10,}|\bya29\.[\w.-]{10,}|(?<=api_key:)[^\s\"\\',}]+"
)
_DIGIT = re.compile(r"\d")


def secrets_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the keys that the environment holds, and the passwords of its proxies."""
    keys = [value.strip() for name, value in environ.items() if name.upper().endswith("API_KEY")]
    for name, value in environ.items():
        if _PROXIES.fullmatch(name):
            try:
                keys.append(urlsplit(value).password or "")
            except ValueError:
                continue
    return tuple(dict.fromkeys(key for key in keys if len(key) >= _SHORTEST))


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` with `secrets`, in whatever spelling, and what looks like a key struck out."""
    lower = text.lower()  # a tag is written small
    for spelling, letters in _spellings(tuple(secrets)):
        if "\\u00" in text or spelling in lower:
            text = letters.sub(STRUCK, text)
    return _SHAPES.sub(_struck, text) if any(mark in text for mark in _MARKS) else text


def _struck(found: re.Match[str]) -> str:
    """Words joined by hyphens may begin like a key, "sk-...", but hold no digit."""
    return found[0] if found[0].startswith("sk-") and not _DIGIT.search(found[0]) else STRUCK


def redacted_line(text: str, *secrets: str) -> str:
    """Return `text` on one line, without keys."""
    return one_line(redacted(text, secrets))


def redacted_value(value: Any, secrets: tuple[str, ...]) -> Any:
    """Return JSON without keys in any of its texts."""
    if isinstance(value, str):
        return redacted(value, secrets)
    if isinstance(value, Mapping):
        return {redacted(str(name), secrets): redacted_value(each, secrets) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(redacted_value(each, secrets) for each in value)
    return value


def redact_file(path: Path, secrets: tuple[str, ...]) -> None:
    """Strike keys out of the lines of a file, where there are any; it is replaced whole or not at all."""
    with path.open("rb") as stream:
        if not any(_redacted_bytes(line, secrets) != line for line in stream):
            return
    with path.open("rb") as stream, whole_file(path) as target:
        for line in stream:
            target.write(_redacted_bytes(line, secrets))


def _redacted_bytes(line: bytes, secrets: tuple[str, ...]) -> bytes:
    text = line.decode("utf-8", "surrogateescape")
    return redacted(text, secrets).encode("utf-8", "surrogateescape")


@lru_cache(maxsize=16)
def _spellings(secrets: tuple[str, ...]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each key as it is, in an address, and in base64 as headers carry it; beside it as JSON may escape it."""
    found: dict[str, None] = {}
    for secret in filter(None, secrets):
        plain = base64.b64encode(secret.encode("utf-8", "surrogateescape")).decode().rstrip("=")
        found |= dict.fromkeys((secret, quote(secret, safe="", errors="surrogateescape"), plain))
    return tuple((each.lower(), re.compile("".join(map(_letter, each)), re.IGNORECASE)) for each in found)


def _letter(sign: str) -> str:
    return rf"(?:{re.escape(sign)}|\\u{ord(sign):04x})"
