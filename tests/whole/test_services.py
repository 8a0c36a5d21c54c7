"""Every service besides Gemini: described by batch and by call, bought once, booked to the dollar."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer.domain.errors import CaptionaryError, KeyRefused, NoCredit, Unreachable
from indexer.providers import spec
from search import Index
from tests.fakes.services import Answer, Service
from tests.support.services import SHOPS, Shop, environ, library, photos

BATCHES = ("openai", "anthropic", "mistral")
LANES = [(name, str(mode)) for name in SHOPS for mode in spec(name).modes if str(mode) != "off-peak"]


@pytest.fixture(params=list(SHOPS))
def shop(request: pytest.FixtureRequest) -> Shop:
    """Each service in turn."""
    return SHOPS[request.param]


@pytest.fixture
def service(shop: Shop) -> Iterator[Service]:
    """Its fake."""
    with shop.service() as running:
        yield running


@pytest.mark.parametrize(("shop", "mode"), LANES, indirect=["shop"])
def test_pictures_are_described_once(shop: Shop, service: Any, mode: str, tmp_path: Path) -> None:
    """Described and found; a second run, a rename, a move and a copy ask for nothing; the books equal the bill."""
    home, pictures = tmp_path / "library", photos(tmp_path / "photos")
    with library(home, environ(shop, service)) as opened:
        plan = opened.plan([pictures], provider=shop.provider, mode=mode)
        report = opened.index([pictures], provider=shop.provider, mode=mode, pilot=0, approve=True)
        assert (report.files.described, report.files.failed) == (5, 0)
        assert report.cost.spent_usd == pytest.approx(0 if shop.provider == "compatible" else service.billed, rel=1e-6)
        if shop.provider != "compatible":
            low = 0 if shop.provider in ("openrouter", "deepseek") else plan.cost.low  # there a price is only bounded
            assert low <= report.cost.spent_usd <= plan.most_usd
        served = service.served.total()
        (pictures / "dogs_window.jpg").rename(pictures / "renamed.jpg") if (
            pictures / "dogs_window.jpg"
        ).exists() else 0
        shutil.copy(next(pictures.glob("*.jpg")), pictures / "copy.jpg")
        moved = pictures.rename(tmp_path / "moved")
        again = opened.index([moved], provider=shop.provider, mode=mode, pilot=0, approve=False)
        assert again.files.described == 6
    assert service.served.total() == served
    assert max(service.served.values()) == 1
    assert Index.open(home).search("a picture", min_score=0)
    assert service.key.encode() not in b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


@pytest.mark.parametrize("shop", ["openai", "anthropic"], indirect=True)
def test_the_plan_counts_tokens_by_the_services_rule(shop: Shop, service: Any, tmp_path: Path) -> None:
    """Input tokens are within two percent of what the service counts."""
    with library(tmp_path / "library", environ(shop, service)) as opened:
        pictures = photos(tmp_path / "photos")
        plan = opened.plan([pictures], provider=shop.provider, pilot=0)
        report = opened.index([pictures], provider=shop.provider, pilot=0, approve=True)
    assert plan.input_tokens == pytest.approx(report.cost.input_tokens, rel=0.02)


@pytest.mark.parametrize("shop", BATCHES, indirect=True)
def test_uploads_are_deleted_and_jobs_carry_what_finds_them(shop: Shop, service: Any, tmp_path: Path) -> None:
    """Nothing stays at the service but what it keeps by itself."""
    with library(tmp_path / "library", environ(shop, service)) as opened:
        opened.index([photos(tmp_path / "photos")], provider=shop.provider, pilot=0, approve=True)
    assert len(service.jobs) == 1
    if shop.provider != "anthropic":
        assert len(service.deleted) == 1
        assert next(iter(service.jobs.values()))["metadata"]["captionary"].startswith("captionary-")


CREATE = {"openai": "POST /v1/batches", "anthropic": "POST /v1/messages/batches", "mistral": "POST /v1/batch/jobs"}


@pytest.mark.parametrize("shop", BATCHES, indirect=True)
@pytest.mark.parametrize("answer", [Answer(drop=True), Answer(503, {"error": {"message": "overloaded"}})])
def test_a_lost_answer_to_a_create_makes_no_second_job(
    shop: Shop, service: Any, answer: Answer, tmp_path: Path
) -> None:
    """The job is found again, by its label or by what its results prove, and nobody is served twice."""
    service.fail_once(CREATE[shop.provider], answer, after=True)
    with library(tmp_path / "library", environ(shop, service)) as opened:
        report = opened.index([photos(tmp_path / "photos")], provider=shop.provider, pilot=0, approve=True)
    assert report.files.described == 5
    assert len(service.jobs) == 1
    assert set(service.served.values()) == {1}


@pytest.mark.parametrize("shop", BATCHES, indirect=True)
def test_a_create_that_never_arrived_is_sent_again(shop: Shop, service: Any, tmp_path: Path) -> None:
    """When no job is found in good time, another create follows."""
    service.fail_once(CREATE[shop.provider], Answer(503, {"error": {"message": "overloaded"}}))
    with library(tmp_path / "library", environ(shop, service)) as opened:
        report = opened.index([photos(tmp_path / "photos")], provider=shop.provider, pilot=0, approve=True)
    assert report.files.described == 5
    assert len(service.jobs) == 1


def test_an_unlabelled_job_of_somebody_else_is_not_adopted(tmp_path: Path) -> None:
    """A batch of the same size at the same time is looked into, and left alone."""
    shop = SHOPS["anthropic"]
    with shop.service() as service:
        with library(tmp_path / "other", environ(shop, service)) as other:
            other.index([photos(tmp_path / "elsewhere")], provider="anthropic", pilot=0, approve=True)
        service.fail_once(CREATE["anthropic"], Answer(drop=True))
        with library(tmp_path / "library", environ(shop, service)) as opened:
            report = opened.index([photos(tmp_path / "photos")], provider="anthropic", pilot=0, approve=True)
        assert report.files.described == 5
        assert len(service.jobs) == 2


ROWS = {
    "openai": [
        ({"response": {"status_code": 500, "body": {"error": {"message": "oops"}}}, "error": None}, "server_error"),
        ({"response": {"status_code": 400, "body": {"error": {"message": "bad image"}}}, "error": None}, "rejected"),
        ({"response": None, "error": {"code": "batch_expired", "message": "too late"}}, "expired"),
    ],
    "mistral": [
        ({"response": {"status_code": 500, "body": {"message": "oops"}}, "error": None}, "server_error"),
        ({"response": None, "error": "it broke"}, "server_error"),
    ],
    "anthropic": [
        ({"type": "errored", "error": {"error": {"type": "api_error", "message": "oops"}}}, "server_error"),
        ({"type": "errored", "error": {"error": {"type": "invalid_request_error", "message": "no"}}}, "rejected"),
        ({"type": "expired"}, "expired"),
    ],
}


@pytest.mark.parametrize(
    ("shop", "row", "reason"),
    [(name, row, reason) for name, rows in ROWS.items() for row, reason in rows],
    indirect=["shop"],
)
def test_a_row_that_failed_has_its_reason(
    shop: Shop, service: Any, row: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    """One photo fails, the others are described, and the books balance."""
    (service.rows if shop.provider == "anthropic" else service.lines_fault)[2] = row
    with library(tmp_path / "library", environ(shop, service)) as opened:
        report = opened.index([photos(tmp_path / "photos")], provider=shop.provider, pilot=0, approve=True)
        (failure,) = opened.failures()
        assert not opened.accounts().faults
    assert (report.files.described, report.files.failed) == (4, 1)
    assert failure.reason == reason
    assert report.cost.spent_usd == pytest.approx(service.billed, rel=1e-6)


def test_a_full_queue_after_a_create_is_waited_for(tmp_path: Path) -> None:
    """The job fails although its create was fine: nothing is lost, and it is made again."""
    shop = SHOPS["openai"]
    with shop.service() as service:
        service.queue_full = 1
        told = environ(shop, service)
        with library(tmp_path / "library", told) as opened:
            opened.index([photos(tmp_path / "photos")], provider="openai", pilot=0, approve=True, wait=False)
            opened.collect()
            state = opened.status().jobs[0].state
        assert state == "intended"
        assert len(service.jobs) == 1
        assert service.served.total() == 0


@pytest.mark.parametrize("end", ["expired", "cancelled"])
def test_what_a_job_brought_before_its_end_is_kept(end: str, tmp_path: Path) -> None:
    """Partial results of expired and cancelled jobs are harvested."""
    shop = SHOPS["openai"]
    with shop.service() as service:
        service.end_as = end
        service.lines_fault[0] = {"response": None, "error": {"code": "batch_expired", "message": "too late"}}
        with library(tmp_path / "library", environ(shop, service)) as opened:
            report = opened.index([photos(tmp_path / "photos")], provider="openai", pilot=0, approve=True)
    assert report.files.described == 4


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, {"error": {"message": "bad key"}}, KeyRefused),
        (402, {"error": {"message": "Insufficient Balance"}}, NoCredit),
        (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}, NoCredit),
    ],
)
def test_an_account_at_fault_blames_no_photo(
    shop: Shop, service: Any, status: int, body: dict[str, Any], error: type[CaptionaryError], tmp_path: Path
) -> None:
    """The run ends in words, nothing is booked, and every photo waits."""
    service.fail_once("POST", Answer(status, body), times=10_000)
    with library(tmp_path / "library", environ(shop, service)) as opened:
        with pytest.raises(error) as caught:
            opened.index([photos(tmp_path / "photos")], provider=shop.provider, pilot=0, approve=True)
        report = opened.status()
    assert service.key not in f"{caught.value} {caught.value.hint}"
    assert report.files.failed == 0
    assert report.cost.spent_usd == 0


def test_a_service_that_is_off_costs_nothing(shop: Shop, tmp_path: Path) -> None:
    """Nothing was sent, so nothing is booked and nothing is in doubt."""
    dead = {shop.key: "test-key-0123456789abcdef", shop.url: "http://127.0.0.1:9", "CAPTIONARY_POLL_SECONDS": "0.02"}
    mode = "interactive"
    with library(tmp_path / "library", dead) as opened:
        options: dict[str, Any] = {"provider": shop.provider, "mode": mode, "pilot": 0, "model": _model(shop)}
        with pytest.raises(Unreachable, match="nothing was sent"):
            opened.index([photos(tmp_path / "photos")], approve=True, wait=False, **options)
        report = opened.status()
    assert report.requests.in_doubt == 0
    assert report.cost.spent_usd == 0


def _model(shop: Shop) -> str:
    return spec(shop.provider).default_model or "cheap/vision"


def test_flex_is_asked_for_and_priced_by_what_was_served(tmp_path: Path) -> None:
    """The tier that the service names is the tier that is booked."""
    shop = SHOPS["openai"]
    with shop.service() as service:

        def downgraded(call: Any) -> Answer | None:
            if not call.path.endswith("/chat/completions"):
                return None
            return service.complete({**call.json(), "service_tier": "default"})

        service.faults.append(downgraded)
        with library(tmp_path / "library", environ(shop, service)) as opened:
            opened.index([photos(tmp_path / "photos")], provider="openai", mode="flex", pilot=0, approve=True)
            assert opened.status().cost.spent_usd == pytest.approx(service.billed, rel=1e-6)
    assert all(json.loads(call.body)["service_tier"] == "flex" for call in service.log if "chat" in call.path)


def test_no_key_names_the_variable(shop: Shop, tmp_path: Path) -> None:
    """Whoever forgot the key is told where it belongs."""
    if shop.provider == "compatible":
        pytest.skip("a server of one's own needs none")
    with library(tmp_path / "library", {}) as opened, pytest.raises(CaptionaryError, match=shop.key) as caught:
        opened.index([photos(tmp_path / "photos")], provider=shop.provider, approve=True)
    assert "export" in caught.value.hint


def test_a_batch_file_of_each_service_can_be_checked(tmp_path: Path) -> None:
    """What one of them would refuse is named with its line and the fix."""
    from indexer.library.api import check_batch_file

    (tmp_path / "bad.jsonl").write_text('{"custom_id": "a"}\n{"custom_id": "a"}\n\n')
    for provider in BATCHES:
        faults = check_batch_file(tmp_path / "bad.jsonl", provider=provider)
        assert any("two lines" in fault.problem for fault in faults)
        assert all(fault.fix for fault in faults)


def test_a_library_asks_whom_it_asked_before(tmp_path: Path) -> None:
    """Under `auto` the provider of the last run is asked again; a new library takes the first key that is set."""
    shop = SHOPS["mistral"]
    with shop.service() as service, library(tmp_path / "library", environ(shop, service)) as opened:
        report = opened.index([photos(tmp_path / "photos")], pilot=0, approve=True)
    assert report.provider == "mistral"
