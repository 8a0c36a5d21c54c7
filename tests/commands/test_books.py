"""What is kept: accounts that balance, prompts as versions that can be put back, and forgetting on somebody's word."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.domain.errors import UsageError
from indexer.library.api import Library, Seams
from search import Index
from tests.fakes.gemini import Emulator
from tests.support.commands import index
from tests.support.virtual import opened, samples

GEMINI = {"provider": "gemini", "workers": 0}
SHORT = "Say in one plain sentence what can be seen, in {language}."


@pytest.fixture
def library(tmp_path: Path, emulator: Emulator) -> Iterator[Library]:
    """A new library before a new service."""
    with opened(tmp_path / "library", emulator) as ours:
        yield ours


def test_the_books_balance_by_run_batch_and_model(tmp_path: Path, emulator: Emulator, library: Library) -> None:
    """After failures, a retry, a pilot and two models, the total is that of the service's own books."""
    photos = samples(tmp_path / "photos")
    emulator.fault("row", "max_tokens", nth=1)
    library.index([photos], approve=True, pilot=3, **GEMINI)
    library.retry(approve=True)
    library.index([photos], approve=True, model="gemini-2.5-flash-lite", **GEMINI)
    found = library.accounts()
    assert found.faults == []
    assert found.total.spent_usd == pytest.approx(emulator.books()["usd"])
    assert found.total.requests == 23
    assert (found.total.answered, found.total.failed, found.total.out) == (22, 1, 0)
    models = {row.name: row.answered for row in found.accounts if row.kind == "model"}
    assert models == {"gemini gemini-3.5-flash-lite": 11, "gemini gemini-2.5-flash-lite": 11}
    assert sum(row.requests for row in found.accounts if row.name == "interactive") == 3


def test_what_was_paid_stays_with_its_provider_when_photos_are_forgotten(tmp_path: Path, library: Library) -> None:
    """Money keeps its name, also where the work that it was paid for is gone."""
    photos = samples(tmp_path / "photos", 2)
    library.index([photos], approve=True, pilot=1, **GEMINI)
    before = library.accounts().to_dict()["by_provider"]
    library.forget([photos], confirm=True)
    assert library.accounts().to_dict()["by_provider"] == before
    assert [row["name"] for row in before] == ["gemini"]


def test_what_does_not_balance_is_said(tmp_path: Path, library: Library) -> None:
    """A ledger from which an answer was torn out no longer balances."""
    library.index([samples(tmp_path / "photos", 2)], approve=True, **GEMINI)
    with sqlite3.connect(tmp_path / "library" / "ledger.sqlite3") as ledger:
        ledger.execute("DELETE FROM answers WHERE work = (SELECT min(work) FROM answers)")
    assert library.accounts().faults == ["1 photos count as described without an answer"]


def test_the_report_comes_as_text_json_and_csv(tmp_path: Path, library: Library) -> None:
    """The same figures in all three."""
    library.index([samples(tmp_path / "photos", 2)], approve=True, **GEMINI)
    command = ("--library", tmp_path / "library", "report")
    assert index(*command).out.splitlines()[-1] == "the books balance"
    told = index(*command, "--json").json
    assert told.keys() == {"total", "by_provider", "by_run", "by_model"}
    assert told["total"].keys() == {"requests", "input_tokens", "output_tokens", "spent_usd", "balanced"}
    assert told["total"]["balanced"] is True
    assert [(row["name"], row["answered"]) for row in told["by_provider"]] == [("gemini", 2)]
    table = list(csv.DictReader(io.StringIO(index(*command, "--csv").out)))
    for kind in ("provider", "run", "model"):
        assert [row["name"] for row in table if row["kind"] == kind] == [row["name"] for row in told[f"by_{kind}"]]
        assert sum(row["spent_usd"] for row in told[f"by_{kind}"]) == pytest.approx(told["total"]["spent_usd"])
    assert float(table[-1]["spent_usd"]) == told["total"]["spent_usd"] > 0


def test_an_edited_prompt_buys_one_folder_and_putting_it_back_buys_nothing(
    tmp_path: Path, emulator: Emulator, library: Library
) -> None:
    """Answers of both prompts are kept, shown side by side, and win in turn, each without a request."""
    one, two = samples(tmp_path / "one", 3), tmp_path / "two"
    two.mkdir()
    for path in sorted(one.iterdir())[:2]:
        path.rename(two / path.name)
    prompt = tmp_path / "short.txt"
    prompt.write_text(SHORT)
    library.index([one, two], approve=True, **GEMINI)
    first = library.prompts()[0].version
    report = library.index([two], approve=True, prompt=prompt, **GEMINI)
    assert report.requests.submitted == 2
    assert emulator.books()["served"]["batch"] == 5
    before = emulator.books()["requests"]
    assert [(one.name, one.answers) for one in library.prompts() if one.kind == "prompt"] == [
        ("default", 3),
        ("short", 2),
    ]
    assert library.prompt("short").chosen
    pairs = library.diff(first, "short")
    assert len(pairs) == 2
    assert all(pair.left and pair.right for pair in pairs)
    assert index("--library", tmp_path / "library", "diff", first, "short").out.count(" | ") >= 2
    version = {hit.path: hit.description for hit in Index.open(tmp_path / "library").search(within=str(two))}
    library.use(first)
    again = {hit.path: hit.description for hit in Index.open(tmp_path / "library").search(within=str(two))}
    assert version.keys() == again.keys()
    assert {pair.left for pair in pairs} == set(again.values())
    assert {pair.right for pair in pairs} == set(version.values())
    assert library.index([one, two], approve=True, **GEMINI).requests.submitted == 0
    assert emulator.books()["requests"] == before
    with pytest.raises(UsageError, match="nobody"):
        library.use("nobody")


def test_pixels_choose_no_prompt(tmp_path: Path, emulator: Emulator, library: Library) -> None:
    """A run without a model changes nothing of what models are asked."""
    photos, prompt = samples(tmp_path / "photos", 2), tmp_path / "short.txt"
    prompt.write_text(SHORT)
    keyless = Library.open(library.folder, seams=Seams(environ={}))
    library.index([photos], approve=True, prompt=prompt, **GEMINI)
    bought = emulator.books()["requests"]
    keyless.index([photos], provider="local", workers=0)
    assert library.index([photos], approve=True, **GEMINI).requests.submitted == 0
    assert emulator.books()["requests"] == bought


def test_a_schema_that_is_put_in_force_wins_over_a_later_prompt(
    tmp_path: Path, emulator: Emulator, library: Library
) -> None:
    """Its answers are what is shown and filtered, until something else is put in force."""
    photos = samples(tmp_path / "photos", 2)
    for name, field in (("one", "order"), ("two", "people")):
        schema = {"type": "object", "properties": {"description": {"type": "string"}, field: {"type": "integer"}}}
        (tmp_path / f"{name}.json").write_text(json.dumps(schema))
    (tmp_path / "short.txt").write_text(SHORT)
    library.index([photos], approve=True, schema=tmp_path / "one.json", **GEMINI)
    library.index([photos], approve=True, schema=tmp_path / "two.json", prompt=tmp_path / "short.txt", **GEMINI)
    requests = emulator.books()["requests"]

    def found(condition: str) -> int:
        return len(Index.open(library.folder).search(where=[condition]))

    assert (found("people>=0"), found("order>=0")) == (2, 0)
    library.use("one")
    assert (found("people>=0"), found("order>=0")) == (0, 2)
    library.use("short")
    assert (found("people>=0"), found("order>=0")) == (2, 0)
    assert emulator.books()["requests"] == requests


def test_forgetting_takes_rows_facts_and_lonely_answers_and_keeps_the_money(
    tmp_path: Path, emulator: Emulator, library: Library
) -> None:
    """A photo that lies elsewhere too keeps its answer; one that does not is paid for again when it comes back."""
    photos, other = samples(tmp_path / "photos", 3), tmp_path / "other"
    other.mkdir()
    shared = sorted(photos.iterdir())[0]
    (other / "copy.jpg").write_bytes(shared.read_bytes())
    library.index([photos, other], approve=True, **GEMINI)
    spent = library.status().cost.spent_usd
    assert library.forget([photos]) == library.forget([photos])
    done = library.forget([photos], confirm=True)
    assert (done.paths, done.answers) == (3, 2)
    status = library.status()
    assert (status.files.seen, status.rows, status.cost.spent_usd) == (1, 1, spent)
    assert [Path(hit.path).name for hit in Index.open(tmp_path / "library").search(within=str(tmp_path))] == [
        "copy.jpg"
    ]
    assert library.accounts().faults == []
    assert library.index([photos], approve=True, **GEMINI).requests.submitted == 2
    assert emulator.books()["served"]["batch"] == 5
    assert library.status().rows == 4
    assert library.accounts().faults == []


def test_nothing_is_forgotten_without_a_word_or_while_it_is_out(
    tmp_path: Path, emulator: Emulator, library: Library
) -> None:
    """Elsewhere than on a terminal --confirm is needed; --yes is for money; what is at the service stays."""
    photos = samples(tmp_path / "photos", 2)
    emulator.change(pending_seconds=600.0)
    library.index([photos], approve=True, wait=False, **GEMINI)
    command = ("--library", tmp_path / "library", "forget", photos)
    refused = index(*command)
    assert refused.code == 2
    assert "--confirm" in refused.err
    busy = index(*command, "--confirm")
    assert busy.code == 2
    assert "collect" in busy.err
    library.collect(wait=True)
    done = index(*command, "--confirm", "--json")
    assert (done.code, done.json["paths"], done.json["answers"], done.json["spent_usd"] > 0) == (0, 2, 2, True)
    assert index(*command, "--confirm").code == 2, "nothing is known there any more"
