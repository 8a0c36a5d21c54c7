"""The emulator refuses what the service refuses: on the whole file, on the line, or on the row."""

from __future__ import annotations

import base64
import io
import json
import math
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google import genai
from google.genai import errors
from PIL import Image

from tests.fakes.gemini import Emulator
from tests.fakes.gemini import material as m

Change = Callable[[dict[str, Any]], None]


def post(quick_emulator: Emulator, verb: str, body: bytes, key: str = "test-key") -> tuple[int, dict[str, Any]]:
    """POST a body to a method of the model and return status and answer."""
    headers = {"x-goog-api-key": key, "Content-Type": "application/json"}
    call = urllib.request.Request(f"{quick_emulator.url}/v1beta/models/{m.MODEL}:{verb}", body, headers)
    try:
        with urllib.request.urlopen(call) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.mark.parametrize(
    ("body", "path", "text"),
    [
        ({"contnts": []}, None, 'Invalid JSON payload received. Unknown name "contnts": Cannot find field.'),
        (
            {"contents": [{"prts": []}]},
            "contents[0]",
            "Invalid JSON payload received. Unknown name \"prts\" at 'contents[0]': Cannot find field.",
        ),
        (
            {"generationConfig": {"thinkingBudget": 0}},
            "generation_config",
            "Invalid JSON payload received. Unknown name \"thinkingBudget\" at 'generation_config': Cannot find field.",
        ),
        (
            {"generationConfig": {"responseSchema": {"type": "OBJECT", "additionalProperties": False}}},
            "generation_config.response_schema",
            'Unknown name "additionalProperties"',
        ),
        ({"generationConfig": {"maxOutputTokens": "many"}}, "generation_config.max_output_tokens", "TYPE_INT32"),
        ({"generationConfig": {"mediaResolution": "TINY"}}, "generation_config.media_resolution", "MediaResolution"),
        ({"generationConfig": {"temperature": True}}, "generation_config.temperature", "TYPE_DOUBLE"),
        ({"contents": [{"parts": [{"text": 5}]}]}, "contents[0].parts[0].text", "TYPE_STRING"),
        ({"contents": ["hello"]}, "contents[0]", "Invalid value at 'contents[0]'"),
        (
            {"contents": [{"parts": [{"inlineData": {"data": "%%%", "mimeType": "image/png"}}]}]},
            "contents[0].parts[0].inline_data.data",
            "Base64 decoding failed",
        ),
        (
            {"contents": [{"parts": [{"text": "a", "inlineData": {"data": ""}}]}]},
            "contents[0].parts[0]",
            "oneof field 'data' is already set",
        ),
        ({"systemInstruction": [{"parts": []}]}, "", "Proto field is not repeating, cannot start list."),
    ],
)
def test_unknown_names_and_wrong_types_are_refused_with_their_path(
    quick_emulator: Emulator, body: dict[str, Any], path: str | None, text: str
) -> None:
    """A body that does not fit its message gets the 400 that names the place."""
    status, answer = post(quick_emulator, "generateContent", json.dumps(body).encode())
    assert status == 400
    assert answer["error"]["status"] == "INVALID_ARGUMENT"
    assert text in answer["error"]["message"]
    violation = answer["error"]["details"][0]["fieldViolations"][0]
    assert violation.get("field") == (path or None)
    assert violation["description"] == answer["error"]["message"]


def test_the_old_documents_shape_is_refused_in_the_known_words(quick_emulator: Emulator) -> None:
    """`file_name` under `requests` is the mistake that an old page taught."""
    body = {"batch": {"input_config": {"requests": {"file_name": "files/x"}}}}
    status, answer = post(quick_emulator, "batchGenerateContent", json.dumps(body).encode())
    assert status == 400
    assert "Unknown name \"file_name\" at 'batch.input_config.requests'" in answer["error"]["message"]


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"contents": NaN}', b"[]", b'{"contents": "\\ud83d"}'])
def test_what_is_no_json_is_refused(quick_emulator: Emulator, body: bytes) -> None:
    """Torn, mis-encoded and non-finite JSON, a list, and a lone surrogate get a 400."""
    assert post(quick_emulator, "generateContent", body)[0] == 400


def test_both_cases_both_alphabets_and_both_number_forms_are_read(quick_emulator: Emulator) -> None:
    """camelCase and snake_case, URL-safe and plain base64 with or without padding, numbers as text: all one request."""
    data = next(data for data in map(m.photo, range(99)) if {b"+", b"/"} & {bytes([c]) for c in base64.b64encode(data)})
    answers = []
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(data).decode()
        snake = {"inline_data": {"mime_type": "image/jpeg", "data": text}}
        camel = {"inlineData": {"mimeType": "image/jpeg", "data": text.rstrip("=")}}
        for part, config in ((snake, {"max_output_tokens": 99}), (camel, {"maxOutputTokens": "99"})):
            name = "generation_config" if part is snake else "generationConfig"
            body = {"contents": {"parts": [part]}, name: config}
            status, answer = post(quick_emulator, "generateContent", json.dumps(body).encode())
            assert status == 200
            answers.append(answer["candidates"][0]["content"]["parts"][0]["text"])
    assert len(set(answers)) == 1


GOOD = m.batch_line("good", b"x")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"key": "a", "request": {"contents": [}}', "near column 39: unexpected character: '}'"),
        (b"", "near column 1: unexpected end of input"),
        (b"\xef\xbb\xbf" + GOOD.rstrip(), "near column 1: unexpected character: '\ufeff'"),
        (b'{"key": "\xff"}', "near column 10: invalid UTF-8"),
        (b'{"key": "a", "request": {"thinking_config": {}}}', "near column 26: no such field: 'thinking_config'"),
        (b'{"custom_id": "a", "body": {}}', "near column 2: no such field: 'custom_id'"),
        (b'{"key": "a"}', "missing field: 'request'"),
        (b'{"key": 7, "request": {}}', "near column 2: invalid value for field 'key'"),
        (b'{"contents": [{"parts": [{"text": "x"}]}]}', "near column 2: no such field: 'contents'"),
        (b'{"request": {"generationConfig": {"maxOutputTokens": "x"}}}', "near column 35: invalid value for field"),
        (b'{"request": {"generation_config": {"temperature": NaN}}}', "unexpected character: 'N'"),
        (b'{"request": {"contents": [{"parts": [{"text": "\\ud83d"}]}]}}', "invalid Unicode surrogate"),
        (b'"text"', "expected an object"),
    ],
)
def test_one_bad_line_refuses_the_whole_batch(
    quick_emulator: Emulator, quick_client: genai.Client, tmp_path: Path, line: bytes, words: str
) -> None:
    """A malformed line refuses the create with its number and column; no job is made and nothing is paid."""
    before = quick_emulator.books()["jobs_created"]
    with pytest.raises(errors.ClientError) as caught:
        m.submit(quick_client, [GOOD, line + b"\n", GOOD], tmp_path)
    assert caught.value.code == 400
    assert caught.value.message is not None
    assert caught.value.message.startswith("Error on line 2: invalid JSON, near column ")
    assert words in caught.value.message
    assert quick_emulator.books()["jobs_created"] == before


def test_lines_may_end_in_crlf_and_carry_u2028_and_extra_fields(quick_client: genai.Client, tmp_path: Path) -> None:
    """Lines end at the line feed only; unknown fields beside the request come back, lists among them emptied."""
    line = {"key": "a\u2028b", "note": {"x": 1}, "list": [1, 2], "request": m.request(m.photo(1))}
    job = m.finished(
        quick_client, m.submit(quick_client, [json.dumps(line, ensure_ascii=False).encode() + b"\r\n"], tmp_path)
    )
    rows = m.output(quick_client, job).split(b"\n")
    found = json.loads(rows[0])
    assert rows[1:] == [b""]
    assert {**found, "response": 0} == {"response": 0, "key": "a\u2028b", "note": {"x": 1}, "list": []}


def config(**values: Any) -> Change:
    """Return a change of the generation config; None takes a field away."""

    def change(request: dict[str, Any]) -> None:
        merged = {**request["generation_config"], **values}
        request["generation_config"] = {name: value for name, value in merged.items() if value is not None}

    return change


def part(**values: Any) -> Change:
    """Return a change that puts another first part in."""

    def change(request: dict[str, Any]) -> None:
        request["contents"][0]["parts"][0] = values

    return change


def blob(data: bytes, mime_type: str = "image/jpeg") -> Change:
    """Return a change that sends other bytes."""
    return part(inline_data={"mime_type": mime_type, "data": base64.b64encode(data).decode()})


def bad_role(request: dict[str, Any]) -> None:
    """Give the content a role that there is not."""
    request["contents"][0]["role"] = "person"


BAD_SCHEMA = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["b"]}


ROWS: list[tuple[Change, int, str]] = [
    (blob(b"no picture"), 3, "Unable to process input image"),
    (blob(m.photo(1)[:-200]), 3, "Unable to process input image"),
    (blob(m.photo(1, form="GIF"), "image/gif"), 3, "Unsupported MIME type: image/gif"),
    (blob(m.photo(1, form="TIFF"), "image/tiff"), 3, "Request contains an invalid argument."),
    (part(text=""), 13, "An internal error has occurred"),
    (part(thought=True), 3, "required oneof field 'data'"),
    (part(file_data={"file_uri": "https://x/v1beta/files/nothere"}), 7, "You do not have permission"),
    (part(file_data={"file_uri": "gs://bucket/x.jpg"}), 3, "Unsupported file uri"),
    (bad_role, 3, "Please use a valid role: user, model."),
    (lambda request: request.pop("contents"), 3, "contents is not specified"),
    (config(response_mime_type=None), 3, "only allowed with an application/json"),
    (config(response_json_schema={"type": "object"}), 3, "Only one of"),
    (config(response_schema={"type": "OBJECT"}), 3, "should be non-empty for OBJECT type"),
    (config(response_schema=BAD_SCHEMA), 3, "required[0]: property is not defined"),
    (config(response_schema={"type": "ARRAY"}), 3, "items: missing field"),
    (config(thinking_config={"thinking_level": "LOW", "thinking_budget": 0}), 3, "only set only one of"),
    (config(media_resolution="MEDIA_RESOLUTION_ULTRA_HIGH"), 3, "only supported for individual parts"),
    (config(temperature=2.5), 3, "temperature"),
]


def changed(change: Change) -> dict[str, Any]:
    """Return a good request with one thing wrong."""
    request = m.request(m.photo(1))
    change(request)
    return request


@pytest.fixture(scope="module")
def rows(quick_client: genai.Client, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Give the result lines of one job that has every bad row, and a good one."""
    lines = [
        json.dumps({"key": str(number), "request": changed(change)}).encode() + b"\n"
        for number, (change, _, _) in enumerate(ROWS)
    ]
    folder = tmp_path_factory.mktemp("rows")
    return m.results(quick_client, m.submit(quick_client, [*lines, m.batch_line("good", m.photo(2))], folder))


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[words[:30] for _, _, words in ROWS])
def test_faults_of_the_request_are_errors_of_the_row(
    quick_emulator: Emulator, rows: dict[str, dict[str, Any]], number: int
) -> None:
    """What the model refuses fails its row in a batch that succeeds, and the single call with the same words."""
    change, code, words = ROWS[number]
    error = rows[str(number)]["error"]
    assert "response" in rows["good"]
    assert error["code"] == code
    assert words in error["message"]
    status, answer = post(quick_emulator, "generateContent", json.dumps(changed(change)).encode())
    assert status == {3: 400, 7: 403, 13: 500}[code]
    assert answer["error"]["message"] == error["message"]


def heic() -> bytes:
    """Return a small HEIC picture."""
    import pillow_heif

    out = io.BytesIO()
    picture = Image.open(io.BytesIO(m.photo(1)))
    pillow_heif.from_pillow(picture).save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "mime_type"),
    [
        (m.photo(1, form="PNG"), "image/png"),
        (m.photo(1, form="WEBP"), "image/webp"),
        (heic(), "image/heic"),
    ],
)
def test_every_supported_format_is_seen(quick_emulator: Emulator, data: bytes, mime_type: str) -> None:
    """PNG, WebP and HEIC are read as JPEG is."""
    request = m.request(m.photo(1))
    blob(data, mime_type)(request)
    assert post(quick_emulator, "generateContent", json.dumps(request).encode())[0] == 200


@pytest.mark.parametrize(
    ("model", "thinking", "words"),
    [
        ("gemini-2.5-flash", {"thinkingLevel": "LOW"}, "Thinking level is not supported for this model."),
        ("gemini-3.8-flash", {"thinkingLevel": "MINIMAL"}, "Thinking level MINIMAL is not supported"),
        ("gemini-2.5-pro", {"thinkingBudget": 0}, "only works in thinking mode"),
    ],
)
def test_thinking_is_checked_against_the_model(
    quick_client: genai.Client, model: str, thinking: dict[str, Any], words: str
) -> None:
    """Generation 2 has budgets, generation 3 has levels, and not every model has every level."""
    with pytest.raises(errors.ClientError, match=words):
        quick_client.models.generate_content(model=model, contents="hi", config={"thinking_config": thinking})


def test_output_is_cut_at_its_limit_and_thoughts_count(quick_emulator: Emulator) -> None:
    """The text ends at the asked number of tokens as MAX_TOKENS; with too much thinking there is no text at all."""
    for level, limit, has_text in (("MINIMAL", 20, True), ("HIGH", 100, False)):
        request = m.request(m.photo(1), max_output_tokens=limit, thinking_config={"thinking_level": level})
        answer = post(quick_emulator, "generateContent", json.dumps(request).encode())[1]
        candidate, usage = answer["candidates"][0], answer["usageMetadata"]
        assert candidate["finishReason"] == "MAX_TOKENS"
        assert ("parts" in candidate["content"]) is has_text
        text = candidate["content"].get("parts", [{"text": ""}])[0]["text"]
        assert usage["candidatesTokenCount"] == math.ceil(len(text) / 4)
        assert usage["candidatesTokenCount"] + usage.get("thoughtsTokenCount", 0) == limit


def test_seeds_change_the_words_and_nothing_else(quick_emulator: Emulator) -> None:
    """One seed gives one answer; among several seeds there are several answers."""
    said = {}
    for seed in (1, 1, 2, 3, 4, 5):
        request = m.request(m.photo(1), seed=seed)
        answer = post(quick_emulator, "generateContent", json.dumps(request).encode())[1]
        text = answer["candidates"][0]["content"]["parts"][0]["text"]
        assert said.setdefault(seed, text) == text
    assert len(set(said.values())) > 1


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"X-Goog-Upload-Offset": "5"}, 400),
        ({"X-Goog-Upload-Command": "sing"}, 400),
        ({"X-Goog-Upload-Command": "upload"}, 200),
        ({"X-Goog-Upload-Command": "query"}, 200),
        ({}, 400),
    ],
)
def test_upload_sessions_check_offset_command_and_length(
    quick_emulator: Emulator, changes: dict[str, str], status: int
) -> None:
    """10 bytes are declared and 8 are sent: only what does not end the upload is accepted."""
    start = {
        "x-goog-api-key": "k",
        "X-Goog-Upload-Protocol": "resumable",
        "X-Goog-Upload-Command": "start",
        "X-Goog-Upload-Header-Content-Length": "10",
    }
    with urllib.request.urlopen(
        urllib.request.Request(f"{quick_emulator.url}/upload/v1beta/files", b"{}", start)
    ) as answer:
        address = answer.headers["X-Goog-Upload-URL"]
    assert address.startswith(quick_emulator.url)
    headers = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0", **changes}
    chunk = urllib.request.Request(address, b"12345678", headers)
    if status == 200:
        with urllib.request.urlopen(chunk) as answer:
            assert answer.headers["X-Goog-Upload-Status"] == "active"
            received = "0" if changes["X-Goog-Upload-Command"] == "query" else "8"
            assert answer.headers["X-Goog-Upload-Size-Received"] == received
    else:
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(chunk)
        caught.value.close()
        assert caught.value.code == status


def test_a_call_without_a_key_is_not_answered(quick_emulator: Emulator) -> None:
    """No key is a 403; a refused key is the 400 with its reason."""
    assert post(quick_emulator, "generateContent", b"{}", "")[0] == 403
    status, answer = post(quick_emulator, "generateContent", b"{}", "wrong-key")
    assert status == 400
    assert answer["error"]["details"][0]["reason"] == "API_KEY_INVALID"
