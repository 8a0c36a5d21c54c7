"""The preflight of batch files: what Gemini would refuse is named by line and field, with the mend."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indexer.providers.gemini.check import check_file
from indexer.providers.seam import LineFault

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(64))
Check = Callable[[bytes], list[LineFault]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Check the bytes of a file."""

    def run(content: bytes) -> list[LineFault]:
        path = tmp_path / "batch.jsonl"
        path.write_bytes(content)
        return list(check_file(path))

    return run


def good() -> dict[str, Any]:
    """A line without a fault."""
    return {
        "key": "k1",
        "request": {
            "contents": [
                {
                    "role": "user",
                    "parts": [
                        {"text": "Describe."},
                        {"inline_data": {"mime_type": "image/jpeg", "data": base64.b64encode(JPEG).decode()}},
                    ],
                }
            ],
            "generation_config": {
                "response_mime_type": "application/json",
                "response_schema": {
                    "type": "OBJECT",
                    "properties": {"description": {"type": "STRING"}},
                    "required": ["description"],
                },
                "temperature": 0.2,
                "max_output_tokens": 512,
                "media_resolution": "MEDIA_RESOLUTION_MEDIUM",
                "thinking_config": {"thinking_level": "MINIMAL"},
            },
        },
    }


def with_value(path: str, value: object) -> bytes:
    """A good line with one thing put at `path`; ... takes it out."""
    line = good()
    holder: Any = line
    *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    for step in way:
        holder = holder[step]
    if value is ...:
        del holder[last]
    else:
        holder[last] = value
    return json.dumps(line).encode()


PART = "request/contents/0/parts/1"
BLOB = f"{PART}/inline_data"
CONFIG = "request/generation_config"
SCHEMA = f"{CONFIG}/response_schema"

FIELD_FAULTS = [
    ("key", ..., "key", "is missing", "its own key"),
    ("key", 7, "key", "is not a text", '"key"'),
    ("key", "", "key", "empty", '"key"'),
    ("request", [], "request", "is a list", "{...}"),
    ("request", ..., "request", "is missing", '"request"'),
    ("request/contents", ..., "request.contents", "missing", "role"),
    ("request/contents", [], "request.contents", "empty", "role"),
    ("request/contents/0/parts", [], "request.contents[0].parts", "empty", "text"),
    ("request/contents/0/role", "assistant", "request.contents[0].role", "not a role", "model"),
    ("request/contents/0/content", "x", "request.contents[0].content", "not a field", "parts"),
    ("request/contents/0/parts/0", "Describe.", "request.contents[0].parts[0]", "is text", "{...}"),
    ("request/contents/0/parts/0/text", "", "request.contents[0].parts[0].text", "500", "leave the part out"),
    ("request/contents/0/parts/0/text", 5, "request.contents[0].parts[0].text", "is a number", "text"),
    ("request/contents/0/parts/0/type", "text", "request.contents[0].parts[0].type", "not a field", "leave it out"),
    (f"{PART}/text", "both", "request.contents[0].parts[1]", "holds text and inline_data", "one part of each"),
    (f"{PART}/mime_type", "image/jpeg", "request.contents[0].parts[1].mime_type", "not a field", "inline_data"),
    (f"{PART}/image_url", {}, "request.contents[0].parts[1].image_url", "not a field", "inline_data"),
    (f"{BLOB}/mime_type", ..., "request.contents[0].parts[1].inline_data.mime_type", "missing", "image/jpeg"),
    (
        f"{BLOB}/mime_type",
        "image/jpg",
        "request.contents[0].parts[1].inline_data.mime_type",
        "registered",
        "image/jpeg",
    ),
    (f"{BLOB}/mime_type", "image/gif", "request.contents[0].parts[1].inline_data.mime_type", "gif", "convert"),
    (f"{BLOB}/mime_type", "image/tiff", "request.contents[0].parts[1].inline_data.mime_type", "tiff", "convert"),
    (f"{BLOB}/data", ..., "request.contents[0].parts[1].inline_data.data", "missing", "base64"),
    (f"{BLOB}/data", "", "request.contents[0].parts[1].inline_data.data", "empty", "base64"),
    (f"{BLOB}/data", "/9j/4A=A", "request.contents[0].parts[1].inline_data.data", "not base64", "encode"),
    (f"{BLOB}/data", "/9j/\n4AAB", "request.contents[0].parts[1].inline_data.data", "not base64", "line breaks"),
    (f"{BLOB}/data", "/9j/4", "request.contents[0].parts[1].inline_data.data", "not base64", "encode"),
    (f"{BLOB}/data", "größe", "request.contents[0].parts[1].inline_data.data", "outside ASCII", "encode"),
    (f"{BLOB}/data", "data:image/jpeg;base64,/9j/", "request.contents[0].parts[1].inline_data.data", "data:", "comma"),
    (
        f"{BLOB}/data",
        base64.b64encode(b"GIF89a" + bytes(40)).decode(),
        "request.contents[0].parts[1].inline_data.data",
        "holds image/gif",
        "convert",
    ),
    (
        f"{BLOB}/data",
        base64.b64encode(b"hello, I am no picture").decode(),
        "request.contents[0].parts[1].inline_data.data",
        "no picture",
        "convert",
    ),
    ("request/config", {}, "request.config", "not a field", "generation_config"),
    ("request/thinking_config", {}, "request.thinking_config", "not a field", "request.generation_config"),
    ("request/temperature", 1, "request.temperature", "not a field", "move it into request.generation_config"),
    ("request/responseSchema", {}, "request.responseSchema", "not a field", "request.generation_config"),
    ("request/thinking_level", "LOW", "request.thinking_level", "not a field", "thinking_config"),
    (f"{CONFIG}/safety_settings", [], "request.generation_config.safety_settings", "not a field", "into request"),
    (f"{CONFIG}/generationconfig", 1, "request.generation_config.generationconfig", "not a field", "leave it out"),
    (f"{CONFIG}/responseMimeType", "application/json", "request.generation_config.response_mime_type", "twice", "keep"),
    (f"{CONFIG}/response_mime_type", ..., "request.generation_config.response_mime_type", "needs JSON", "application"),
    (f"{CONFIG}/response_mime_type", "text/plain", "request.generation_config.response_mime_type", "JSON", "set it"),
    (f"{CONFIG}/response_json_schema", {}, "request.generation_config.response_json_schema", "stands beside", "one"),
    (f"{CONFIG}/thinking_config/thinking_budget", 0, "request.generation_config.thinking_config", "both", "2.5"),
    (
        f"{CONFIG}/thinking_config/thinking_level",
        "TINY",
        "request.generation_config.thinking_config.thinking_level",
        "values",
        "MINIMAL",
    ),
    (f"{CONFIG}/temperature", "hot", "request.generation_config.temperature", "is text", "a number"),
    (f"{CONFIG}/temperature", 3, "request.generation_config.temperature", "outside", "0 to 2"),
    (f"{CONFIG}/temperature", 10**400, "request.generation_config.temperature", "not a number", "a number"),
    (f"{CONFIG}/max_output_tokens", 0, "request.generation_config.max_output_tokens", "less than 1", "at least 1"),
    (f"{CONFIG}/max_output_tokens", 1.5, "request.generation_config.max_output_tokens", "whole", "whole number"),
    (f"{CONFIG}/media_resolution", "MEDIUM", "request.generation_config.media_resolution", "values", "RESOLUTION_LOW"),
    (
        f"{CONFIG}/media_resolution",
        "MEDIA_RESOLUTION_ULTRA_HIGH",
        "request.generation_config.media_resolution",
        "single parts",
        "HIGH",
    ),
    (
        f"{SCHEMA}/additionalProperties",
        False,
        "request.generation_config.response_schema.additionalProperties",
        "not a field",
        "response_json_schema",
    ),
    (f"{SCHEMA}/$ref", "#/x", "request.generation_config.response_schema.$ref", "not a field", "response_json_schema"),
    (f"{SCHEMA}/type", "DICT", "request.generation_config.response_schema.type", "values", "OBJECT"),
    (f"{SCHEMA}/type", ["OBJECT"], "request.generation_config.response_schema.type", "a list", "[ ]"),
    (f"{SCHEMA}/properties", {}, "request.generation_config.response_schema.properties", "empty", "name"),
    (f"{SCHEMA}/required", ["tags"], "request.generation_config.response_schema.required", "not a property", "only"),
    (
        f"{SCHEMA}/properties/tags",
        {"type": "ARRAY"},
        "request.generation_config.response_schema.properties.tags.items",
        "must have",
        "STRING",
    ),
    (
        f"{SCHEMA}/properties/tags",
        {},
        "request.generation_config.response_schema.properties.tags.type",
        "missing",
        "OBJECT",
    ),
    ("request/contents/0/parts/0/text", "\ud83d", "request.contents[0].parts[0].text", "surrogate", "whole"),
]


@pytest.mark.parametrize(("path", "value", "field", "problem", "mend"), FIELD_FAULTS)
def test_each_fault_is_named_with_field_and_mend(
    check: Check, path: str, value: object, field: str, problem: str, mend: str
) -> None:
    """One thing is wrong on the second line, and exactly that field is named there."""
    faults = check(json.dumps(good() | {"key": "k0"}).encode() + b"\n" + with_value(path, value) + b"\n")
    named = [fault for fault in faults if fault.field == field]
    assert named, faults
    assert problem in named[0].problem
    assert mend in named[0].fix
    assert {fault.line for fault in faults} == {2}


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("file:///home/me/a.jpg", "cannot see it"),
        ("/home/me/a.jpg", "cannot see it"),
        ("files/abc", "cannot see it"),
        ("gs://bucket/a.jpg", "Vertex"),
        ("https://example.com/a.jpg", "not fetched"),
        ("", "missing"),
    ],
)
def test_a_file_must_have_been_uploaded(check: Check, uri: str, problem: str) -> None:
    """Batches read uploaded files, nothing else."""
    (fault,) = check(with_value(PART, {"file_data": {"file_uri": uri, "mime_type": "image/jpeg"}}))
    assert fault.field == "request.contents[0].parts[1].file_data.file_uri"
    assert problem in fault.problem
    assert "upload" in fault.fix


def test_an_uploaded_file_is_fine(check: Check) -> None:
    """The uri that the File API answers passes, on any host."""
    uri = "https://generativelanguage.googleapis.com/v1beta/files/abc123"
    assert check(with_value(PART, {"fileData": {"fileUri": uri, "mimeType": "image/png"}})) == []


def test_several_contents_need_their_roles(check: Check) -> None:
    """Two contents without a role were refused row by row."""
    contents = [{"parts": [{"text": "one"}]}, {"parts": [{"text": "two"}]}]
    faults = check(with_value("request/contents", contents))
    assert [fault.field for fault in faults] == ["request.contents[0].role", "request.contents[1].role"]


ONE = json.dumps(good()).encode()
TWO = json.dumps(good() | {"key": "k2"}).encode()

FILE_FAULTS = [
    (b"", 0, "no requests"),
    (b"\n\n", 0, "no requests"),
    (b"\xef\xbb\xbf" + ONE + b"\n", 1, "byte order mark"),
    (ONE.decode().encode("utf-16"), 1, "UTF-16"),
    (ONE + b"\r\n" + TWO + b"\r\n", 1, "CRLF"),
    (ONE + b"\n\n" + TWO + b"\n", 2, "blank"),
    (ONE + b"\n" + ONE + b"\n", 2, "that of line 1"),
    (ONE + b"\n" + TWO[:-9], 2, "not JSON"),
    (ONE + b"\n\xff\n" + TWO, 2, "not UTF-8"),
    (ONE + b"\n" + TWO.replace(b"0.2", b"NaN"), 2, "NaN"),
    (ONE + b"\n" + TWO.replace(b"0.2", b"-Infinity"), 2, "Infinity"),
    (ONE + b"\n" + TWO.replace(b"0.2", b"1e999"), 2, "1e999"),
    (ONE + b"\n" + TWO.replace(b"0.2", b"9" * 5000), 2, "number"),
    (ONE + b"\n[1]\n", 2, "not a JSON object"),
    (ONE + b"\n" + b"[" * 100_000 + b"\n", 2, "nested"),
    (b'{"contents":[{"parts":[{"text":"a"}]}]}\n', 1, "bare request"),
    (b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{}}\n', 1, "another service"),
    (b'{"batch":{"inputConfig":{"requests":{"fileName":"files/a"}}}}\n', 1, "under requests"),
    (b'{"batch":{"inputConfig":{"fileName":"files/a"}}}\n', 1, "create call"),
]


@pytest.mark.parametrize(("content", "line", "problem"), FILE_FAULTS)
def test_faults_of_lines_and_files_are_named(check: Check, content: bytes, line: int, problem: str) -> None:
    """What is wrong with the framing is said where it begins."""
    faults = check(content)
    assert any(fault.line == line and problem in fault.problem for fault in faults), faults
    assert all(fault.fix for fault in faults)


def test_a_line_for_another_service_is_told_how_to_name_its_key(check: Check) -> None:
    """`custom_id` is what other services call the key."""
    faults = check(b'{"custom_id":"a","body":{}}\n')
    assert faults[0] == LineFault(1, "key", "is missing", "rename custom_id to key")


def test_a_file_over_the_limit_is_named_before_its_lines(tmp_path: Path) -> None:
    """The limit is the caller's; the whole file is the fault."""
    path = tmp_path / "big.jsonl"
    path.write_bytes(ONE + b"\n")
    (fault,) = check_file(path, max_bytes=100)
    assert fault.line == 0
    assert "100 are allowed" in fault.problem


def test_a_line_beyond_all_measure_is_skipped_and_the_next_one_read(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file without line breaks must not be taken into memory."""
    monkeypatch.setattr("indexer.providers.gemini.check.MAX_LINE_BYTES", 2000)
    faults = check(b"x" * 50_000 + b"\n" + ONE + b"\n\n")
    assert [(fault.line, fault.problem.split(" ")[0]) for fault in faults] == [(1, "the"), (3, "the")]
    assert "longer" in faults[0].problem


def test_no_file_is_an_os_error(tmp_path: Path) -> None:
    """Whether a file can be read is not for the check to judge."""
    with pytest.raises(FileNotFoundError):
        list(check_file(tmp_path / "none.jsonl"))


def test_text_of_the_file_reaches_messages_clean(check: Check) -> None:
    """A field name with control characters must not paint the terminal."""
    (fault,) = check(with_value("request/\x1b[31mred\n", 1))
    assert "\x1b" not in fault.field
    assert "\n" not in fault.field


FINE = [
    ("a document", with_value(PART, {"inline_data": {"mime_type": "application/pdf", "data": "JVBERi0="}})),
    ("the URL-safe alphabet", with_value(f"{BLOB}/data", base64.urlsafe_b64encode(JPEG + b"\xff\xef\xbe").decode())),
    ("no padding", with_value(f"{BLOB}/data", base64.b64encode(JPEG + b"\0").decode().rstrip("="))),
    ("camelCase", with_value("request", {"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": {"topK": 3}})),
    ("a whole surrogate pair", with_value("request/contents/0/parts/0/text", "\U0001f600 and \ud83d\ude00")),
    ("null for absent", with_value("request/safety_settings", None)),
    ("numbers as text", with_value(f"{CONFIG}/max_output_tokens", "512")),
    ("fields that are echoed", with_value("note", "mine")),
    (
        "several turns",
        with_value(
            "request/contents",
            [{"role": "user", "parts": [{"text": "Hi"}]}, {"role": "model", "parts": [{"text": "Yes?"}]}],
        ),
    ),
]


@pytest.mark.parametrize("line", [line for _, line in FINE], ids=[name for name, _ in FINE])
def test_what_the_service_takes_passes(check: Check, line: bytes) -> None:
    """A check that cries wolf is not run twice."""
    assert check(line) == []


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("request/system_instruction", {"parts": [{"text": ""}]}, "request.system_instruction.parts[0].text"),
        ("request/contents/0/parts/0", {}, "request.contents[0].parts[0]"),
        (
            f"{SCHEMA}/properties/people",
            {"type": "ARRAY", "items": {"type": "OBJECT"}},
            "request.generation_config.response_schema.properties.people.items.properties",
        ),
        (
            PART,
            {"file_data": {"file_uri": "https://x/v1beta/files/a", "mime_type": "image/gif"}},
            "request.contents[0].parts[1].file_data.mime_type",
        ),
    ],
)
def test_faults_are_found_in_every_corner(check: Check, path: str, value: object, field: str) -> None:
    """System instructions, empty parts, nested schemas, uploaded files."""
    assert field in [fault.field for fault in check(with_value(path, value))]


def test_a_line_that_is_like_nothing_known_only_lacks_its_request(check: Check) -> None:
    """There is no telling what it was meant to be."""
    (fault,) = check(b'{"key": "k1", "prompt": "Describe."}')
    assert (fault.field, fault.problem) == ("request", "is missing")


def test_keys_beyond_the_memory_still_meet_the_remembered_ones(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded; what was remembered stays so."""
    monkeypatch.setattr("indexer.providers.gemini.check._REMEMBERED_KEYS", 1)
    faults = check(b"\n".join([ONE, TWO, TWO, ONE]))
    assert [(fault.line, fault.problem) for fault in faults] == [(4, "is that of line 1")]
