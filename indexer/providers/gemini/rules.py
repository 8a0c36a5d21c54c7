"""What a well-formed request must also keep to: the rules that only show in the service's answers.

Each came from a report: refused creates, rows that fail by the thousand, settings that are ignored in silence.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from indexer.providers.gemini.shapes import Breach

_IMAGES = frozenset({"image/jpeg", "image/png", "image/webp", "image/heic", "image/heif"})
_OTHER_MEDIA = ("audio/", "video/", "text/", "application/pdf", "application/json", "application/x-javascript")
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG", "image/png"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypavi", "image/avif"),
    (4, b"ftyp", "image/heic"),
    (0, b"GIF8", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"BM", "image/bmp"),
)
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_DATA_FIELDS = (
    "text",
    "inline_data",
    "file_data",
    "function_call",
    "function_response",
    "executable_code",
    "code_execution_result",
)
_CONVERT = "convert the picture to image/jpeg"


def request_findings(request: Mapping[str, Any]) -> Iterator[Breach]:
    """Yield what is wrong with a request that `shapes.read_request` has read."""
    yield from _contents(request)
    if "system_instruction" in request:
        yield from _parts(request["system_instruction"].get("parts", ()), "request.system_instruction")
    yield from _config(request.get("generation_config", {}), "request.generation_config")


def _contents(request: Mapping[str, Any]) -> Iterator[Breach]:
    contents = request.get("contents", ())
    if not contents:
        yield Breach("request.contents", "is missing or empty", 'give [{"role": "user", "parts": [...]}]')
    for index, content in enumerate(contents):
        path = f"request.contents[{index}]"
        role = content.get("role", "")
        if role not in ("", "user", "model", "function"):
            yield Breach(f"{path}.role", f"{role[:40]!r} is not a role", "user or model")
        if not role and len(contents) > 1:
            yield Breach(f"{path}.role", "is missing, with several contents", 'give each its role: "user" or "model"')
        yield from _parts(content.get("parts", ()), path)


def _parts(parts: Sequence[Mapping[str, Any]], path: str) -> Iterator[Breach]:
    if not parts:
        yield Breach(f"{path}.parts", "is missing or empty", 'give at least one part, {"text": ...}')
    for index, part in enumerate(parts):
        where = f"{path}.parts[{index}]"
        held = [name for name in _DATA_FIELDS if name in part]
        if len(held) > 1:
            yield Breach(where, f"holds {' and '.join(held)}", "make one part of each")
        if not held and not part.get("thought_signature"):
            yield Breach(where, "is empty", "leave the part out, or give it a text")
        if "text" in part and not part["text"]:
            yield Breach(f"{where}.text", "is empty, which the service answers with 500", "leave the part out")
        if "inline_data" in part:
            yield from _inline(part["inline_data"], f"{where}.inline_data")
        if "file_data" in part:
            yield from _file(part["file_data"], f"{where}.file_data")


def _inline(blob: Mapping[str, Any], path: str) -> Iterator[Breach]:
    mime = blob.get("mime_type", "")
    yield from _mime(mime, path)
    data = blob.get("data", "")
    if not data:
        yield Breach(f"{path}.data", "is missing or empty", "give the file's bytes in base64")
        return
    if data.startswith("data:"):
        yield Breach(f"{path}.data", "is a data: address", "keep only what stands after the comma")
        return
    problem = _base64_problem(data)
    if problem:
        yield Breach(f"{path}.data", problem, "encode the bytes again, without line breaks")
    elif mime in _IMAGES:
        found = sniff(data)
        if found not in _IMAGES:
            words = f"holds {found}" if found else "holds no picture that the service reads"
            yield Breach(f"{path}.data", f"says {mime} but {words}", _CONVERT)


def _base64_problem(data: str) -> str:
    """Either alphabet, padded or not; this reads all of the data, and most of a check's time goes here."""
    try:
        raw = data.encode("ascii")
    except UnicodeEncodeError:
        return "is not base64: it has characters outside ASCII"
    if b"-" in raw or b"_" in raw:
        raw = raw.translate(_URL_SAFE)
    missing = -len(raw) % 4
    try:
        binascii.a2b_base64(raw + b"=" * missing if missing else raw, strict_mode=True)
    except binascii.Error as error:
        return f"is not base64: {str(error)[0].lower()}{str(error)[1:]}"
    return ""


def sniff(data: str) -> str:
    """Return the MIME type that the first bytes of base64 `data` speak of, "" when they speak of none."""
    head = binascii.a2b_base64(data[:32].encode("ascii").translate(_URL_SAFE) + b"==")
    return next((mime for offset, magic, mime in _MAGIC if head.startswith(magic, offset)), "")


def _mime(mime: str, path: str) -> Iterator[Breach]:
    where = f"{path}.mime_type"
    if not mime:
        yield Breach(where, "is missing", "give the type of the data, image/jpeg for one")
    elif mime == "image/jpg":
        yield Breach(where, "image/jpg is not a registered type", "write image/jpeg")
    elif mime not in _IMAGES and not mime.startswith(_OTHER_MEDIA):
        yield Breach(where, f"{mime[:60]!r} is not read by the service", _CONVERT)


def _file(data: Mapping[str, Any], path: str) -> Iterator[Breach]:
    uri = data.get("file_uri", "")
    where = f"{path}.file_uri"
    upload = "upload the file and give the uri that the File API answers, or put the bytes into inline_data"
    if not uri:
        yield Breach(where, "is missing", upload)
    elif uri.startswith("file://") or "://" not in uri:
        yield Breach(where, f"{uri[:60]!r} is not an uploaded file: the service cannot see it", upload)
    elif uri.startswith("gs://"):
        yield Breach(where, "gs:// is read by Vertex AI only", upload)
    elif "/files/" not in uri:
        yield Breach(where, "addresses outside the File API are not fetched for batches", upload)
    if data.get("mime_type"):
        yield from _mime(data["mime_type"], path)


def _config(config: Mapping[str, Any], path: str) -> Iterator[Breach]:
    schemas = [name for name in ("response_schema", "response_json_schema", "_response_json_schema") if name in config]
    if len(schemas) > 1:
        yield Breach(f"{path}.{schemas[1]}", f"stands beside {schemas[0]}", "keep one of the two")
    if schemas and config.get("response_mime_type") != "application/json":
        yield Breach(f"{path}.response_mime_type", f"{schemas[0]} needs JSON answers", 'set it to "application/json"')
    thinking = config.get("thinking_config", {})
    if "thinking_level" in thinking and "thinking_budget" in thinking:
        yield Breach(
            f"{path}.thinking_config",
            "has both level and budget",
            "thinking_level for Gemini 3 and later, thinking_budget for 2.5",
        )
    if "max_output_tokens" in config and float(config["max_output_tokens"]) < 1:
        yield Breach(f"{path}.max_output_tokens", "is less than 1", "give at least 1, or leave it out")
    if "temperature" in config and not 0 <= float(config["temperature"]) <= 2:
        yield Breach(f"{path}.temperature", "is outside 0 to 2", "give a number from 0 to 2")
    if config.get("media_resolution") == "MEDIA_RESOLUTION_ULTRA_HIGH":
        yield Breach(f"{path}.media_resolution", "ultra high is for single parts only", "MEDIA_RESOLUTION_HIGH")
    if "response_schema" in config:
        yield from _schema(config["response_schema"], f"{path}.response_schema")


def _schema(schema: Mapping[str, Any], path: str) -> Iterator[Breach]:
    kind, properties = schema.get("type", ""), schema.get("properties", {})
    if not kind and not schema.get("any_of"):
        yield Breach(f"{path}.type", "is missing", "OBJECT, ARRAY, STRING, NUMBER, INTEGER or BOOLEAN")
    if kind == "OBJECT" and not properties:
        yield Breach(f"{path}.properties", "is empty, and an OBJECT must have some", "name its properties")
    if kind == "ARRAY" and "items" not in schema:
        yield Breach(f"{path}.items", "is missing, and an ARRAY must have it", 'give {"type": "STRING"} or the like')
    for name in ("required", "property_ordering"):
        strange = [item for item in schema.get(name, ()) if item is not None and item not in properties]
        if strange:
            yield Breach(f"{path}.{name}", f"names {strange[0][:40]!r}, which is not a property", "name only those")
    for name, part in properties.items():
        yield from _schema(part, f"{path}.properties.{name[:60]}")
    if "items" in schema:
        yield from _schema(schema["items"], f"{path}.items")
    for index, part in enumerate(schema.get("any_of", ())):
        yield from _schema(part, f"{path}.any_of[{index}]")
