"""What a GenerateContentRequest may hold, and where each name belongs.

The service reads protobuf-JSON: every name in snake_case or lowerCamelCase, unknown names refuse the whole file, null
is the same as absent, one message where a list belongs is a list of one. Source: the API's discovery document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_MESSAGES: dict[str, str] = {
    "Request": "model:text contents:Content* system_instruction:Content tools:any tool_config:any"
    " safety_settings:Safety* generation_config:Config cached_content:text service_tier:text store:flag labels:any",
    "Content": "parts:Part* role:text",
    "Part": "text:text inline_data:Blob file_data:FileData function_call:any function_response:any"
    " executable_code:any code_execution_result:any thought:flag thought_signature:text video_metadata:any"
    " part_metadata:any media_resolution:PartResolution",
    "PartResolution": "level:RESOLUTION",
    "Blob": "mime_type:text data:text display_name:text",
    "FileData": "mime_type:text file_uri:text display_name:text",
    "Safety": "category:text threshold:THRESHOLD",
    "Config": "candidate_count:whole stop_sequences:text* max_output_tokens:whole temperature:number top_p:number"
    " top_k:number seed:whole response_mime_type:text response_schema:Schema response_json_schema:any"
    " _response_json_schema:any presence_penalty:number frequency_penalty:number response_logprobs:flag"
    " logprobs:whole enable_enhanced_civic_answers:flag response_modalities:MODALITY* speech_config:any"
    " image_config:any thinking_config:Thinking media_resolution:RESOLUTION",
    "Thinking": "include_thoughts:flag thinking_budget:whole thinking_level:LEVEL",
    "Schema": "type:TYPE format:text title:text description:text nullable:flag enum:text* items:Schema"
    " max_items:whole min_items:whole properties:Schema% required:text* min_properties:whole max_properties:whole"
    " min_length:whole max_length:whole pattern:text example:any any_of:Schema* property_ordering:text*"
    " default:any minimum:number maximum:number",
}
_CHOICES: dict[str, frozenset[str]] = {
    "RESOLUTION": frozenset(
        f"MEDIA_RESOLUTION_{size}" for size in ("UNSPECIFIED", "LOW", "MEDIUM", "HIGH", "ULTRA_HIGH")
    ),
    "LEVEL": frozenset({"THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH"}),
    "TYPE": frozenset({"TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"}),
    "MODALITY": frozenset({"MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO"}),
    "THRESHOLD": frozenset(
        {
            "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
            "BLOCK_LOW_AND_ABOVE",
            "BLOCK_MEDIUM_AND_ABOVE",
            "BLOCK_ONLY_HIGH",
            "BLOCK_NONE",
            "OFF",
        }
    ),
}
_WHERE = {
    "Request": "request",
    "Content": "request.contents[]",
    "Part": "request.contents[].parts[]",
    "Blob": "the part's inline_data",
    "FileData": "the part's file_data",
    "Config": "request.generation_config",
    "Thinking": "request.generation_config.thinking_config",
}
_MENDS = {
    ("Request", "config"): "there is no config in a batch line: put its fields into request.generation_config",
    ("Schema", "additional_properties"): "leave it out, or send the schema as response_json_schema",
    ("Schema", "$ref"): "write the referenced schema in its place, or send it as response_json_schema",
    ("Part", "image_url"): 'use {"inline_data": {"mime_type": "image/jpeg", "data": BASE64}}',
    ("Part", "type"): 'leave it out: a part is {"text": ...} or {"inline_data": ...}',
    ("Content", "content"): "call it parts: a list of parts",
}
_INTEGER = re.compile(r"-?[0-9]{1,19}(?:\.0+)?")
_LARGEST = 1e300
_KIND_WORDS = {"text": "text", "flag": "true or false", "whole": "a whole number", "number": "a number"}


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing that the service would refuse: where, what, and the mend, each one line."""

    field: str
    problem: str
    mend: str


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    kind: str
    many: bool
    keyed: bool


def camel(name: str) -> str:
    """Return the lowerCamelCase spelling of a snake_case name."""
    return re.sub(r"(?<=.)_([a-z])", lambda match: match[1].upper(), name)


def snake(name: str) -> str:
    """Return the snake_case spelling of a camelCase name."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def _fields(text: str) -> dict[str, _Field]:
    known = {}
    for item in text.split():
        name, kind = item.split(":")
        field = _Field(name, kind.rstrip("*%"), kind.endswith("*"), kind.endswith("%"))
        known[name] = known[camel(name)] = field
    return known


_FIELDS = {message: _fields(text) for message, text in _MESSAGES.items()}
# Where several messages know a name, the later one is what was meant.
_HOMES = {
    name: message
    for message in ("Part", "FileData", "Blob", "Thinking", "Config", "Request")
    for name in _FIELDS[message]
}


def read_request(value: object, findings: list[Breach]) -> dict[str, Any]:
    """Return what of `value` is well-formed, under snake_case names; what is not goes to `findings`."""
    return _message(value, "Request", "request", findings)


def _message(value: object, message: str, path: str, findings: list[Breach]) -> dict[str, Any]:
    if not isinstance(value, dict):
        findings.append(Breach(path, f"is {_kind_of(value)}, not an object", f"write {path} as {{...}}"))
        return {}
    fields = _FIELDS[message]
    read: dict[str, Any] = {}
    for name, item in value.items():
        field = fields.get(name)
        if field is None:
            findings.append(_unknown(name, message, path))
        elif item is not None:
            where = f"{path}.{field.name}"
            if field.name in read:
                findings.append(
                    Breach(where, "is given twice, in both spellings", f"keep {field.name}, drop {camel(field.name)}")
                )
            read[field.name] = _value(item, field, where, findings)
    return {name: item for name, item in read.items() if item is not None}


def _unknown(name: str, message: str, path: str) -> Breach:
    where = f"{path}.{name[:60]}"
    told = _MENDS.get((message, snake(name))) or _MENDS.get((message, name))
    home = _HOMES.get(name) or _HOMES.get(snake(name))
    if told is None and home is not None and home != message and home in _WHERE:
        told = f"move it into {_WHERE[home]}"
    if told is None and snake(name) in _FIELDS[message]:
        told = f"write it as {snake(name)}"
    return Breach(where, "is not a field that the service knows here", told or "leave it out")


def _value(value: object, field: _Field, path: str, findings: list[Breach]) -> Any:
    if field.keyed:
        if not isinstance(value, dict):
            findings.append(Breach(path, f"is {_kind_of(value)}, not an object", "give one entry for each name"))
            return None
        return {name: _single(item, field.kind, f"{path}.{name[:60]}", findings) for name, item in value.items()}
    if not field.many:
        if isinstance(value, list) and field.kind != "any":
            findings.append(Breach(path, "is a list where one value belongs", "take it out of the [ ]"))
            return None
        return _single(value, field.kind, path, findings)
    items = value if isinstance(value, list) else [value]
    return [_single(item, field.kind, f"{path}[{index}]", findings) for index, item in enumerate(items)]


def _single(value: object, kind: str, path: str, findings: list[Breach]) -> Any:
    if kind == "any":
        return value
    if kind in _MESSAGES:
        return _message(value, kind, path, findings)
    choices = _CHOICES.get(kind)
    if choices is not None:
        if isinstance(value, str) and value.upper() in choices:
            return value.upper()
        findings.append(Breach(path, f"{_quoted(value)} is not one of its values", f"one of: {_listed(choices)}"))
        return None
    if _fits(value, kind):
        return value
    findings.append(Breach(path, f"is {_kind_of(value)}, not {_KIND_WORDS[kind]}", f"give {_KIND_WORDS[kind]}"))
    return None


def _fits(value: object, kind: str) -> bool:
    if kind == "text":
        return isinstance(value, str)
    if kind == "flag" or isinstance(value, bool):
        return kind == "flag" and isinstance(value, bool)
    if kind == "whole":
        # A 64-bit number may be written as a string, and 3.0 is a whole number.
        return isinstance(value, int | float | str) and bool(_INTEGER.fullmatch(str(value)))
    if isinstance(value, str):
        return bool(re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", value[:40]))
    return isinstance(value, int | float) and abs(value) <= _LARGEST


def _kind_of(value: object) -> str:
    kinds = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return kinds.get(type(value), "null")


def _quoted(value: object) -> str:
    return repr(value[:40]) if isinstance(value, str) else _kind_of(value)


def _listed(choices: Iterable[str]) -> str:
    return ", ".join(sorted(choice for choice in choices if "UNSPECIFIED" not in choice))
