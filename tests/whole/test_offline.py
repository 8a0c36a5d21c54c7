"""A model without a server: requests go to a file, `vllm run-batch` answers into another, and that is taken in."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from indexer.domain.errors import UsageError
from indexer.library.api import Library, Seams
from search import Index
from tests.fakes.services.base import caption
from tests.support.commands import index
from tests.support.services import photos

MODEL = "qwen3-vl"


def run_batch(requests: Path, answers: Path, *broken: int) -> None:
    """Answer every line in its order, as vLLM does; those of these numbers fail."""
    rows = []
    for number, line in enumerate(requests.read_bytes().splitlines()):
        told = json.loads(line)
        assert (told["method"], told["url"], told["body"]["model"]) == ("POST", "/v1/chat/completions", MODEL)
        url = told["body"]["messages"][0]["content"][-1]["image_url"]["url"]
        text = json.dumps(caption(base64.b64decode(url.partition(",")[2])))
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        body: dict[str, Any] = {"model": MODEL, "choices": [choice]}
        response = {"status_code": 200, "request_id": "r", "body": body | {"usage": None}}
        if number in broken:
            response = {"status_code": 400, "request_id": "r", "body": {"error": {"message": "cannot decode image"}}}
        rows.append({"id": f"vllm-{number}", "custom_id": told["custom_id"], "response": response, "error": None})
    answers.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_answers_from_a_file_are_answers_as_any(tmp_path: Path) -> None:
    """Better than pixels, found by words, taken in once; what failed stands in the next file of requests."""
    pictures, requests, answers = photos(tmp_path / "photos"), tmp_path / "requests.jsonl", tmp_path / "answers.jsonl"
    notes: list[str] = []
    with Library.open(tmp_path / "library", seams=Seams(environ={}), note=notes.append) as library:
        library.index([pictures], provider="local", workers=0)
        assert library.export_requests(requests, MODEL) == 5
        run_batch(requests, answers, 2)
        report = library.collect(source=answers)
        assert (
            "described by the file: 4; answers that cannot be used: 1; lines about photos that were not asked for: 0"
            in notes[-1]
        )
        assert (report.cost.spent_usd, report.rows) == (0, 5)
        library.collect(source=answers)
        assert (
            "described by the file: 0; answers that cannot be used: 1; lines about photos that were not asked for: 4"
            in notes[-1]
        )
        assert library.export_requests(tmp_path / "again.jsonl", MODEL) == 1
        assert not library.accounts().faults
    hits = Index.open(tmp_path / "library").search("known", limit=0, min_score=0)
    assert sum("It is known as" in hit.description for hit in hits) == 4


def test_a_file_of_another_library_describes_nothing(tmp_path: Path) -> None:
    """Its keys name the library that wrote the requests."""
    for name in ("one", "other"):
        with Library.open(tmp_path / name, seams=Seams(environ={})) as library:
            library.index([tmp_path / "photos" if name == "other" else photos(tmp_path / "photos")], provider="local")
            library.export_requests(tmp_path / f"{name}.jsonl", MODEL)
    run_batch(tmp_path / "one.jsonl", tmp_path / "answers.jsonl")
    notes: list[str] = []
    with Library.open(tmp_path / "other", seams=Seams(environ={}), note=notes.append) as library:
        library.collect(source=tmp_path / "answers.jsonl")
    assert "described by the file: 0;" in notes[-1]
    assert "lines about photos that were not asked for: 5" in notes[-1]


def test_the_commands_say_what_is_missing(tmp_path: Path) -> None:
    """A model, a file that is there, a name that is free."""
    home = tmp_path / "library"
    with Library.open(home, seams=Seams(environ={})) as library:
        library.index([photos(tmp_path / "photos", 1)], provider="local", workers=0)
        (tmp_path / "taken.jsonl").write_text("")
        with pytest.raises(UsageError, match="is not replaced"):
            library.export_requests(tmp_path / "taken.jsonl", MODEL)
        with pytest.raises(UsageError, match="is not a file"):
            library.collect(source=tmp_path / "none.jsonl")
    file = tmp_path / "requests.jsonl"
    without = index("--library", home, "export", "--format", "vllm", "--to", file)
    assert without.code == 2
    assert "--model" in without.err
    assert index("--library", home, "export", "--format", "vllm", "--model", MODEL, "--to", file).code == 0
    run_batch(file, tmp_path / "answers.jsonl")
    taken = index("--library", home, "collect", "--from", tmp_path / "answers.jsonl")
    assert taken.code == 0
    assert "described by the file: 1;" in taken.err
