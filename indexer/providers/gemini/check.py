"""Check a batch file before it is paid for: each line and field that Gemini would refuse, in words, with the mend.

The service refuses a whole file for one bad line and names neither line nor field as a person would. Any Gemini batch
file can be checked, whoever wrote it; it is streamed, so memory does not grow with the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from indexer.providers.answer import one_line
from indexer.providers.gemini.rules import request_findings
from indexer.providers.gemini.shapes import Breach, read_request
from indexer.providers.seam import LineFault

MAX_FILE_BYTES = 2_000_000_000
MAX_LINE_BYTES = 64_000_000
_REMEMBERED_KEYS = 1_000_000
_SEEN_WHOLE = 1 << 20
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
_WRAP = 'write the line as {"key": ..., "request": {...}}'


class _NotFinite(ValueError):
    """NaN or Infinity stood where JSON wants a number."""


def check_file(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> Iterator[LineFault]:
    """Yield the faults of the batch file at `path`, in the order of its lines; OSError when it cannot be read."""
    with path.open("rb") as stream:
        size = path.stat().st_size
        if size > max_bytes:
            yield LineFault(0, "", f"the file has {size} bytes, {max_bytes} are allowed", "cut it into several files")
        yield from check_stream(stream)


def check_stream(stream: BinaryIO) -> Iterator[LineFault]:
    """Yield what a service would refuse in the lines of `stream`."""
    keys = _Keys()
    number = requests = 0
    seen_crlf = False
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1 and raw.startswith(_UTF16):
            yield LineFault(1, "", "the file is UTF-16", "save it as UTF-8 without a byte order mark")
            return
        if number == 1 and raw.startswith(_BOM):
            yield LineFault(1, "", "the file begins with a byte order mark", "save it as UTF-8 without one")
            raw = raw[len(_BOM) :]
        if len(raw) > MAX_LINE_BYTES:
            _skip_line(stream, raw)
            requests += 1
            yield LineFault(number, "", f"the line is longer than {MAX_LINE_BYTES} bytes", "send a smaller picture")
            continue
        if raw.endswith(b"\r\n") and not seen_crlf:
            seen_crlf = True
            yield LineFault(number, "", "lines end in CRLF, from here on at least", r"end every line with \n alone")
        line = raw.strip(b" \t\r\n")
        if not line:
            yield LineFault(number, "", "the line is blank", "take it out")
            continue
        requests += 1
        for finding in _check_line(line, number, keys):
            # Names and values are the file's: they may hold anything.
            yield LineFault(number, one_line(finding.field), one_line(finding.problem), finding.mend)
    if not requests:
        yield LineFault(0, "", "the file has no requests", "write one request a line")


def _skip_line(stream: BinaryIO, raw: bytes) -> None:
    while raw and not raw.endswith(b"\n"):
        raw = stream.readline(_SEEN_WHOLE)


class _Keys:
    """The keys seen so far, as hashes, with their lines; bounded, so that memory is."""

    def __init__(self) -> None:
        self._lines: dict[int, int] = {}

    def first_line(self, key: str, line: int) -> int:
        """Return the line that had `key` first, this one when it is new."""
        if len(self._lines) < _REMEMBERED_KEYS:
            return self._lines.setdefault(hash(key), line)
        return self._lines.get(hash(key), line)


def _check_line(line: bytes, number: int, keys: _Keys) -> list[Breach]:
    findings: list[Breach] = []
    try:
        found = _parse(line)
        if not isinstance(found, dict):
            return [Breach("", "the line is not a JSON object", _WRAP)]
        findings.extend(_key_findings(found, number, keys))
        if "request" not in found:
            findings.append(_without_request(found))
        else:
            request = read_request(found["request"], findings)
            findings.extend(request_findings(request))
        if b"\\ud" in line or b"\\uD" in line:
            findings.extend(_lone_surrogates(found, ""))
    except UnicodeDecodeError as error:
        return [Breach("", f"byte {error.start + 1} of the line is not UTF-8", "write the file as UTF-8")]
    except _NotFinite as error:
        return [Breach("", f"{error} is not JSON", "write a number, or leave the field out")]
    except json.JSONDecodeError as error:
        return [Breach("", f"not JSON near column {error.colno}: {error.msg}", "one whole JSON object a line")]
    except (ValueError, RecursionError):
        return [Breach("", "the line is nested too deeply or has a number beyond reading", _WRAP)]
    return findings


def _parse(line: bytes) -> Any:
    return json.loads(line.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite)


def _refuse_constant(name: str) -> float:
    raise _NotFinite(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NotFinite(text[:40])
    return number


def _key_findings(found: dict[str, Any], number: int, keys: _Keys) -> Iterator[Breach]:
    key = found.get("key")
    if key is None:
        called = next((name for name in ("custom_id", "id", "customId") if name in found), "")
        mend = f"rename {called} to key" if called else "give each line its own key: results have no other tie to it"
        yield Breach("key", "is missing", mend)
    elif not isinstance(key, str) or not key:
        yield Breach("key", "is not a text, or empty", 'write it as "key": "..."')
    else:
        first = keys.first_line(key, number)
        if first != number:
            yield Breach("key", f"is that of line {first}", "give each line its own key")


def _without_request(found: dict[str, Any]) -> Breach:
    """Most files without `request` were written for another API, or for the create call."""
    if "body" in found or "custom_id" in found or "params" in found:
        return Breach("request", "is missing: this is a line for another service", _WRAP)
    holder = found.get("batch", found)
    for name in ("input_config", "inputConfig"):
        if isinstance(holder, dict) and name in holder:
            return _create_body(holder[name])
    if "contents" in found:
        return Breach("request", "is missing: the line is a bare request", _WRAP)
    return Breach("request", "is missing", _WRAP)


def _create_body(config: object) -> Breach:
    requests = config.get("requests") if isinstance(config, dict) else None
    if isinstance(requests, dict) and ("file_name" in requests or "fileName" in requests):
        return Breach(
            "input_config.requests.file_name",
            "the file's name stands under requests",
            "write inputConfig.fileName, and send this as the body of the create call, not as a line",
        )
    return Breach("input_config", "this is the body of a create call, not a batch line", _WRAP)


def _lone_surrogates(value: object, path: str) -> Iterator[Breach]:
    if isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            yield Breach(path, "has half of a surrogate pair", "write the whole character, or leave it out")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _lone_surrogates(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _lone_surrogates(item, f"{path}[{index}]")


__all__ = ["MAX_FILE_BYTES", "LineFault", "check_file"]
