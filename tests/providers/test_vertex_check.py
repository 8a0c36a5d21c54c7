"""Vertex's batch files are checked without credentials: what it would refuse, or send back without its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE
from indexer.domain.question import Question, Request
from indexer.library.api import check_batch_file
from indexer.providers.vertex.lines import encode_line

_CONTENTS = [{"role": "user", "parts": [{"text": "What is it?"}, {"fileData": {"fileUri": "gs://bucket/1.jpg"}}]}]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({"request": {"contents": _CONTENTS, "labels": {"captionary": "a-1"}}}, None),
        ({"request": {"contents": _CONTENTS}, "custom_id": "a"}, "custom_id"),
        ({"key": "a"}, "key request"),
        ({"request": {}}, "request.contents"),
        ({"request": {"contents": _CONTENTS, "labels": {"captionary": "Grey.JPG"}}}, "request.labels.captionary"),
        ({"request": {"contents": _CONTENTS, "labels": {"1st": "a"}}}, "request.labels.1st"),
        (
            {"request": {"contents": [{"parts": [{"file_data": {"file_uri": "file:///1.jpg"}}]}]}},
            "request.contents.parts.fileData.fileUri",
        ),
        (
            {"request": {"contents": _CONTENTS, "generation_config": {"response_schema": {"type": "OBJECT"}}}},
            "request.generationConfig.responseMimeType",
        ),
        (["request"], ""),
    ],
)
def test_a_line_is_refused_by_its_field(line: Any, field: str | None, tmp_path: Path) -> None:
    """Each fault with its line and the fix; a good line beside it has none."""
    good = {"request": {"contents": _CONTENTS}}
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(good)}\n{json.dumps(line)}\n")
    faults = check_batch_file(tmp_path / "rows.jsonl", provider="vertex")
    assert " ".join(fault.field for fault in faults) == (field or "")
    assert bool(faults) == (field is not None)
    assert all(fault.line == 2 and fault.problem and fault.fix for fault in faults)


def test_what_is_sent_is_clean(tmp_path: Path) -> None:
    """The adapter's own lines have no fault."""
    asked = Question("vertex", "gemini-3.1-flash-lite", DEFAULT_TEMPLATE, DEFAULT_SCHEMA)
    lines = [encode_line(Request(f"k-{number}", asked, b"\xff\xd8\xff", "What is it?")) for number in range(2)]
    (tmp_path / "rows.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    assert check_batch_file(tmp_path / "rows.jsonl", provider="vertex") == []
