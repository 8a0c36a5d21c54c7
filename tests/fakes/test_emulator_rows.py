"""Every fault of a result line strikes its row, leaves the neighbours alone, and leaves true books."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google import genai

from tests.fakes.gemini import Emulator
from tests.fakes.gemini import material as m


@pytest.fixture(scope="module")
def source(quick_client: genai.Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give an uploaded batch file of three lines."""
    return m.upload(quick_client, m.batch_lines(3), tmp_path_factory.mktemp("source"))


def run_with(quick_emulator: Emulator, quick_client: genai.Client, source: str, **fault: Any) -> list[bytes]:
    """Serve the three rows of the source with a fault on row k1 and return the raw lines, k1's among them."""
    quick_emulator.fault("row", match="k1", **fault)
    job = m.finished(quick_client, quick_client.batches.create(model=m.MODEL, src=source))
    lines = m.output(quick_client, job).split(b"\n")
    assert lines.pop() == b""
    return lines


def parsed(line: bytes) -> Any:
    """Return a line's JSON, or None when it is none."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def hit(lines: list[bytes]) -> Any:
    """Return the one line of row k1."""
    found = [value for value in map(parsed, lines) if isinstance(value, dict) and value.get("key") == "k1"]
    assert len(found) == 1
    return found[0]


def inner(line: Any) -> Any:
    """Return the JSON inside the answer's text."""
    return json.loads(m.text(line))


def first(line: Any) -> Any:
    """Return the first candidate."""
    return line["response"]["candidates"][0]


def parts(line: Any) -> Any:
    """Return the parts of the answer."""
    return first(line)["content"]["parts"]


def usage(line: Any) -> Any:
    """Return what the row says it cost."""
    return line["response"]["usageMetadata"]


def full(line: Any) -> bool:
    """Say whether the answer ended at its limit."""
    return bool(first(line)["finishReason"] == "MAX_TOKENS")


def torn(line: Any) -> bool:
    """Say whether the answer's text begins as JSON and does not end so."""
    return m.text(line).startswith("{") and parsed(m.text(line).encode()) is None


BLOCKED = {"promptFeedback", "usageMetadata", "modelVersion", "responseId"}


@pytest.mark.parametrize(
    ("fault", "holds", "paid"),
    [
        ({"kind": "error", "code": 13}, lambda line: line["error"] == {"code": 13}, 2),
        ({"kind": "error", "code": 8, "message": "m"}, lambda line: line["error"] == {"code": 8, "message": "m"}, 2),
        ({"kind": "block", "reason": "SAFETY"}, lambda line: set(line["response"]) == BLOCKED, 3),
        ({"kind": "finish", "reason": "RECITATION"}, lambda line: first(line)["finishReason"] == "RECITATION", 3),
        ({"kind": "max_tokens"}, lambda line: torn(line) and full(line), 3),
        ({"kind": "max_tokens_no_parts"}, lambda line: first(line)["content"] == {"role": "model"}, 3),
        ({"kind": "repetition"}, lambda line: len(m.text(line)) == 2048 and full(line), 3),
        ({"kind": "empty_response"}, lambda line: line["response"] == {}, 3),
        ({"kind": "no_candidates"}, lambda line: "candidates" not in line["response"], 3),
        ({"kind": "empty_candidates"}, lambda line: line["response"]["candidates"] == [], 3),
        ({"kind": "empty_content"}, lambda line: first(line)["content"] == {}, 3),
        ({"kind": "empty_text"}, lambda line: m.text(line) == "", 3),
        ({"kind": "no_usage"}, lambda line: "usageMetadata" not in line["response"], 3),
        ({"kind": "thought"}, lambda line: parts(line)[0]["thought"], 3),
        ({"kind": "thought_signature"}, lambda line: "thoughtSignature" in parts(line)[1], 3),
        ({"kind": "split_text"}, lambda line: json.loads("".join(part["text"] for part in parts(line))), 3),
        ({"kind": "fenced"}, lambda line: m.text(line).startswith("```json\n{"), 3),
        ({"kind": "prose"}, lambda line: m.text(line).startswith("Here is"), 3),
        ({"kind": "not_json"}, lambda line: m.text(line) == "I see a picture.", 3),
        ({"kind": "half_json"}, lambda line: torn(line), 3),
        ({"kind": "wrong_schema"}, lambda line: set(inner(line)) == {"image", "ok"}, 3),
        ({"kind": "readable_types"}, lambda line: isinstance(inner(line)["tags"], str), 3),
        ({"kind": "extra_fields"}, lambda line: {"description", "confidence", "notes"} < set(inner(line)), 3),
        ({"kind": "all_null"}, lambda line: set(inner(line).values()) == {None}, 3),
        ({"kind": "lone_surrogate"}, lambda line: inner(line)["description"].endswith("\ud83d"), 3),
        ({"kind": "nul"}, lambda line: "\x00" in inner(line)["description"], 3),
        ({"kind": "u2028"}, lambda line: "\u2028" in m.text(line), 3),
        ({"kind": "control"}, lambda line: "\x1b[31m" in inner(line)["description"], 3),
        ({"kind": "markup"}, lambda line: "<script>" in inner(line)["description"], 3),
        ({"kind": "long_line"}, lambda line: len(m.text(line)) > 3_000_000, 3),
        ({"kind": "server_field"}, lambda line: usage(line)["serviceTier"] == "standard", 3),
    ],
    ids=lambda value: str(value.get("kind")) if isinstance(value, dict) else "",
)  # fmt: skip
def test_answers_of_a_row_go_wrong(
    quick_emulator: Emulator,
    quick_client: genai.Client,
    source: str,
    fault: dict[str, Any],
    holds: Callable[[Any], bool],
    paid: int,
) -> None:
    """The row shows the fault, its neighbours are well, and the books say what is paid: all but errors."""
    before = quick_emulator.books()["served"]["batch"]
    lines = run_with(quick_emulator, quick_client, source, **fault)
    assert len(lines) == 3
    assert holds(hit(lines))
    assert sum("description" in inner(line) for line in map(parsed, lines) if line["key"] != "k1") == 2
    assert quick_emulator.books()["served"]["batch"] - before == paid


@pytest.mark.parametrize(
    ("fault", "holds"),
    [
        ({"kind": "missing_row"}, lambda lines, keys: keys == ["k0", "k2"]),
        ({"kind": "duplicate_key"}, lambda lines, keys: keys == ["k0", "k1", "k1", "k2"] and len(set(lines)) == 4),
        ({"kind": "duplicate_line"}, lambda lines, keys: len(lines) == 4 and len(set(lines)) == 3),
        ({"kind": "unknown_key"}, lambda lines, keys: keys == ["k0", "k1", "k2", "nobody-asked-for-this"]),
        ({"kind": "unknown_key", "replace": True, "key": "z"}, lambda lines, keys: keys == ["k0", "k2", "z"]),
        ({"kind": "no_key"}, lambda lines, keys: keys == ["", "k0", "k2"]),
        ({"kind": "key_not_text"}, lambda lines, keys: keys == ["7", "k0", "k2"]),
        ({"kind": "torn_line"}, lambda lines, keys: len(lines) == 3 and keys == ["k0", "k2"]),
        ({"kind": "bit_flip"}, lambda lines, keys: len(lines) == 3 and keys == ["k0", "k2"]),
        ({"kind": "invalid_utf8"}, lambda lines, keys: b"\xff\xfe" in b"".join(lines) and keys == ["k0", "k2"]),
        ({"kind": "not_object"}, lambda lines, keys: b"[1, 2]" in lines and keys == ["k0", "k2"]),
        ({"kind": "blank_line"}, lambda lines, keys: lines.count(b"") == 2 and keys == ["k0", "k1", "k2"]),
        ({"kind": "crlf"}, lambda lines, keys: b"\r" in b"".join(lines) and keys == ["k0", "k1", "k2"]),
    ],
)  # fmt: skip
def test_lines_of_a_result_go_wrong(
    quick_emulator: Emulator,
    quick_client: genai.Client,
    source: str,
    fault: dict[str, Any],
    holds: Callable[[list[bytes], list[str]], bool],
) -> None:
    """Lines go missing, come twice, under another key or torn; all three rows are paid."""
    before = quick_emulator.books()["served"]["batch"]
    lines = run_with(quick_emulator, quick_client, source, **fault)
    values = [value for value in map(parsed, lines) if isinstance(value, dict)]
    assert holds(lines, sorted(str(value.get("key", "")) for value in values))
    assert quick_emulator.books()["served"]["batch"] - before == 3


def test_all_rows_can_fail_in_a_job_that_succeeds(
    quick_emulator: Emulator, quick_client: genai.Client, source: str
) -> None:
    """SUCCEEDED says nothing about the rows."""
    quick_emulator.fault("row", "error", code=13)
    lines = m.results(quick_client, quick_client.batches.create(model=m.MODEL, src=source))
    assert [line["error"]["code"] for line in lines.values()] == [13, 13, 13]


def test_half_of_the_rows_by_chance_or_by_count(
    quick_emulator: Emulator, quick_client: genai.Client, tmp_path: Path
) -> None:
    """`every` counts rows; `probability` draws them, the same ones for the same seed."""
    lines = m.batch_lines(20)
    hits = []
    for rule in ({"every": 2}, {"probability": 0.5, "seed": 1}, {"probability": 0.5, "seed": 1}):
        quick_emulator.clear_faults()
        quick_emulator.fault("row", "error", **rule)
        found = m.results(quick_client, m.submit(quick_client, lines, tmp_path))
        hits.append({key for key, line in found.items() if "error" in line})
    assert hits[0] == {f"k{number}" for number in range(1, 20, 2)}
    assert hits[1] == hits[2]
    assert 3 < len(hits[1]) < 17


def test_a_schema_can_be_ignored_in_batches_only(
    quick_emulator: Emulator, quick_client: genai.Client, source: str
) -> None:
    """One of the two schema fields may not work in batches, while the other and single calls do."""
    try:
        for ignored, fits in (("response_schema", False), ("response_json_schema", True)):
            quick_emulator.change(batch_ignores=ignored)
            lines = m.results(quick_client, quick_client.batches.create(model=m.MODEL, src=source))
            assert all(("description" in inner(line)) is fits for line in lines.values())
    finally:
        quick_emulator.change(batch_ignores="")
