"""Strict protobuf-JSON: what the real front end accepts, and the words with which it refuses the rest."""

from __future__ import annotations

import binascii
import json
import math
import re
import string
from dataclasses import dataclass
from typing import Any, NoReturn

from tests.fakes.gemini import messages
from tests.fakes.gemini.messages import Field
from tests.fakes.gemini.wire import ApiError, Json, bad_request, unknown_name

_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_BASE64 = string.ascii_letters.encode() + string.digits.encode() + b"+/-_"
_INT = re.compile(r"-?\d+(\.0+)?")
_BITS = {"int32": 31, "int64": 63}


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with a message: where, in the service's words, and the short form of batch-file errors."""

    path: str
    text: str
    short: str
    token: str
    """What to look for in the source to find the column."""


class Refused(Exception):
    """The message does not fit its type."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(violations[0].text)
        self.violations = violations


class Syntax(Exception):
    """The bytes are no JSON; `position` counts characters from 0."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.position = position


def decode_base64(text: str) -> bytes:
    """Decode either alphabet, padded or not; raises `ValueError`."""
    raw = check_base64(text)
    if b"-" in raw or b"_" in raw:
        raw = raw.translate(_URL_SAFE)
    return binascii.a2b_base64(raw + b"=" * (-len(raw) % 4))


def check_base64(text: str) -> bytes:
    """Return the text without its padding; raises `ValueError` when it is no base64. Much cheaper than to decode."""
    raw = text.encode("ascii")
    bare = raw.rstrip(b"=")
    if len(raw) - len(bare) > 2 or len(bare) % 4 == 1 or bare.translate(None, _BASE64):
        raise ValueError("not base64")
    return bare


def load(raw: bytes) -> Any:
    """Read strict JSON: UTF-8, no BOM, no NaN, no lone surrogate; raises `Syntax`."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise Syntax("invalid UTF-8", error.start) from None
    try:
        value = json.loads(text, parse_constant=_no_constant)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise Syntax(_unexpected(text, error.pos), error.pos) from None
    except UnicodeEncodeError:
        raise Syntax("invalid Unicode surrogate", max(text.find("\\ud"), text.find("\\uD"))) from None
    except RecursionError:
        raise Syntax("message too deep", 0) from None
    except ValueError as error:
        raise Syntax(str(error), 0) from None
    return value


def _unexpected(text: str, position: int) -> str:
    return f"unexpected character: '{text[position]}'" if position < len(text) else "unexpected end of input"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"unexpected character: '{name[0]}'")


def body(raw: bytes, message: str) -> Json:
    """Read a request body as `message`; keys of the result are snake_case. Raises `ApiError` 400."""
    try:
        value = load(raw) if raw.strip() else {}
        return parse(value, message)
    except Syntax as error:
        head = raw[:40].decode(errors="replace")
        raise ApiError(3, f"Invalid JSON payload received. {error.reason}\n{head}\n^") from None
    except Refused as error:
        raise bad_request([(item.path, item.text) for item in error.violations]) from None


def parse(value: Any, message: str) -> Json:
    """Check a JSON value against a message and return it with snake_case names; raises `Refused`."""
    violations: list[Violation] = []
    if not isinstance(value, dict):
        raise Refused([_wrong("", messages.type_name(message), value)])
    parsed = _message(value, message, "", violations)
    if violations:
        raise Refused(violations)
    return parsed


def _message(value: Json, message: str, path: str, out: list[Violation]) -> Json:
    fields = messages.messages()[message]
    parsed: Json = {}
    taken: dict[str, str] = {}
    for name, item in value.items():
        field = fields.get(name)
        if field is None:
            out.append(Violation(*unknown_name(name, path), f"no such field: '{name}'", f'"{name}"'))
            continue
        if item is None:
            continue
        if field.oneof:
            _oneof(field, taken, path, out)
        where = f"{path}.{field.name}" if path else field.name
        parsed[field.name] = _field(item, field, where, out)
    return parsed


def _oneof(field: Field, taken: dict[str, str], path: str, out: list[Violation]) -> None:
    if field.oneof in taken:
        text = f"oneof field '{field.oneof}' is already set. Cannot set '{messages.camel(field.name)}'"
        out.append(Violation(path, f"Invalid value at '{path}' (oneof), {text}", text, messages.camel(field.name)))
    taken[field.oneof] = field.name


def _field(value: Any, field: Field, path: str, out: list[Violation]) -> Any:
    if field.keyed:
        if not isinstance(value, dict):
            out.append(_wrong(path, "Map", value))
            return {}
        return {key: _value(item, field.type, f'{path}["{key}"]', out) for key, item in value.items()}
    if not field.repeated:
        if isinstance(value, list) and field.type != "any":
            parent, _, name = path.rpartition(".")
            at = f" at '{parent}'" if parent else ""
            reason = "Proto field is not repeating, cannot start list."
            text = f'Invalid JSON payload received. Unknown name "{name}"{at}: {reason}'
            out.append(Violation(parent, text, f"field '{name}' is not repeated, cannot start list", f'"{name}"'))
            return None
        return _value(value, field.type, path, out)
    # The real parser takes a lone message where a list belongs.
    items = value if isinstance(value, list) else [value]
    return [_value(item, field.type, f"{path}[{index}]", out) for index, item in enumerate(items)]


def _value(value: Any, kind: str, path: str, out: list[Violation]) -> Any:
    if kind == "any":
        return value
    if kind in messages.messages():
        if not isinstance(value, dict):
            out.append(_wrong(path, messages.type_name(kind), value))
            return {}
        return _message(value, kind, path, out)
    try:
        return _scalar(value, kind)
    except ValueError as error:
        label = known[0] if (known := messages.enum(kind)) else f"TYPE_{kind.upper()}"
        out.append(_wrong(path, label, value, str(error)))
        return None


def _scalar(value: Any, kind: str) -> Any:
    known = messages.enum(kind)
    if known is not None:
        return _enum(value, known[1])
    if kind == "string":
        if isinstance(value, str):
            return value
    elif kind == "bytes":
        if isinstance(value, str):
            return _base64(value)
    elif kind == "bool":
        if isinstance(value, bool):
            return value
    elif kind == "double":
        return _double(value)
    else:
        return _integer(value, _BITS[kind])
    raise ValueError("")


def _enum(value: Any, values: list[str]) -> str:
    if isinstance(value, str) and value.upper() in values:
        return value.upper()
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(values):
        return values[value]
    raise ValueError("")


def _base64(value: str) -> str:
    try:
        check_base64(value)
    except ValueError:
        raise ValueError(f'Base64 decoding failed for "{value[:60]}"') from None
    return value


def _double(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("")
    return number


def _integer(value: Any, bits: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("")
    if not _INT.fullmatch(str(value)):
        raise ValueError("")
    number = int(float(value)) if isinstance(value, float) else int(str(value).partition(".")[0])
    if not -(1 << bits) <= number < 1 << bits:
        raise ValueError("")
    return number


def _wrong(path: str, kind: str, value: Any, note: str = "") -> Violation:
    shown = json.dumps(value, ensure_ascii=False)[:80]
    at = f" at '{path}'" if path else ""
    name = path.rpartition(".")[2]
    return Violation(
        path,
        f"Invalid value{at} ({kind}), {note or shown}",
        f"invalid value for field '{name}' ({kind.rpartition('.')[2]})",
        f'"{name.partition("[")[0]}"',
    )


def line_error(number: int, raw: bytes, error: Syntax | Refused) -> ApiError:
    """Return the 400 that refuses a batch file because of one line; lines and columns count from 1."""
    if isinstance(error, Syntax):
        column, reason = error.position + 1, error.reason
    else:
        first = error.violations[0]
        text = raw.decode(errors="replace")
        spellings = (first.token, '"' + messages.camel(first.token.strip('"')) + '"')
        column = max(1, *(text.find(token) + 1 for token in spellings))
        reason = first.short
    return ApiError(3, f"Error on line {number}: invalid JSON, near column {column}: {reason}")
