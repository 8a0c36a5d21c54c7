"""Several accounts of one service as lanes of one budget: each with its own key, its own queue, its own jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer.domain.errors import BadSetting, KeyMissing, NoCredit, Unreachable
from indexer.ledger.store import Ledger
from indexer.ledger.work import shards
from indexer.library.doctor import examine_library
from indexer.providers import spec
from indexer.providers.accounts import accounts, environ_of, refuse_unfit
from tests.fakes.faults import Fault
from tests.fakes.openai import FakeOpenAI
from tests.fakes.wire import Call, Reply
from tests.support.rigs import KEY, RIGS, opened
from tests.support.virtual import samples

RIG = RIGS["openai"]
OPENAI: dict[str, Any] = {"provider": "openai", "workers": 0, "approve": True}
LAB = "LAB_OPENAI_API_KEY"
LAB_KEY = "key-of-the-laboratory"
TWO = {"CAPTIONARY_ACCOUNTS_OPENAI": LAB, LAB: LAB_KEY, "CAPTIONARY_SHARD_LINES": "2"}
PHOTOS = 6
QUEUE = 3_500


class TwoAccounts(FakeOpenAI):
    """A service at one address; what belongs to the key of the laboratory, nobody else sees."""

    def __init__(self, state: Path, **settings: Any) -> None:
        super().__init__(state / "usual", **settings)
        self.lab = FakeOpenAI(state / "lab", **settings)
        self.lab.clock = self.clock

    def answer(self, call: Call) -> tuple[Reply, list[Fault]]:
        """Answer as the account whose key it is."""
        if call.headers.get("authorization") == f"Bearer {LAB_KEY}":
            return self.lab.answer(call)
        return super().answer(call)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[TwoAccounts]:
    """Two accounts, each with a small queue, whose jobs take an hour."""
    told = {"pending": 60.0, "running": 3600.0, "enqueued_tokens": QUEUE}
    with TwoAccounts(tmp_path / "service", **told) as running, running.lab:
        yield running


def test_batches_go_to_the_account_with_room(tmp_path: Path, service: TwoAccounts) -> None:
    """Both serve a part in half the waves, each photo once, and the bill is the sum of both."""
    service.settings["enqueued_tokens"] = service.lab.settings["enqueued_tokens"] = 2_200
    with opened(tmp_path / "alone", RIG, service, environ={"CAPTIONARY_SHARD_LINES": "2"}) as library:
        began = service.health()["now"]
        library.index([samples(tmp_path / "photos", PHOTOS)], **OPENAI)
        alone = service.health()["now"] - began
    assert service.lab.books()["requests"] == {}
    before = service.books()
    with opened(tmp_path / "library", RIG, service, environ=TWO) as library:
        began = service.health()["now"]
        report = library.index([tmp_path / "photos"], **OPENAI)
        both = service.health()["now"] - began
    served = [service.books()["served"]["batch"] - before["served"]["batch"], service.lab.books()["served"]["batch"]]
    assert (report.files.described, sum(served)) == (PHOTOS, PHOTOS)
    assert min(served) > 0
    spent = service.books()["usd"] - before["usd"] + service.lab.books()["usd"]
    assert report.cost.spent_usd == pytest.approx(spent, rel=1e-9)
    assert both < 0.8 * alone
    for path in (tmp_path / "library").rglob("*"):
        told = path.read_bytes() if path.is_file() else b""
        assert not {key for key in (KEY, LAB_KEY) if key.encode() in told}, path


def test_a_batch_stays_with_its_account(tmp_path: Path, service: TwoAccounts) -> None:
    """Taken out of the settings, an account gets no more batches, and those that it has come home."""
    with opened(tmp_path / "library", RIG, service, environ=TWO) as library:
        library.index([samples(tmp_path / "photos", PHOTOS)], wait=False, **OPENAI)
    ours = [shard.account for shard in _open(tmp_path / "library")]
    assert sorted(set(ours)) == ["", LAB]
    created = len(service.lab.all("job"))
    with opened(tmp_path / "library", RIG, service, environ={LAB: LAB_KEY}) as library:
        report = library.collect(wait=True)
    assert report.files.described == PHOTOS
    assert len(service.lab.all("job")) == created
    assert not [file for file in service.lab.all("file") if file["purpose"] == "batch"]


@pytest.mark.parametrize("key", ["", "bad-key", "no-credit"])
def test_a_dead_account_does_not_stop_the_others(
    tmp_path: Path, service: TwoAccounts, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What was never sent to it goes to the others, which describe everything; a note names the account."""
    caplog.set_level("INFO", "captionary")
    with opened(tmp_path / "library", RIG, service, environ={**TWO, LAB: key}) as library:
        report = library.index([samples(tmp_path / "photos", PHOTOS)], **OPENAI)
    assert report.files.described == PHOTOS
    assert service.books()["served"] == {"batch": PHOTOS}
    assert [record for record in caplog.records if LAB in record.message and "go on" in record.message]


def test_a_batch_that_is_stuck_at_an_account_is_told_once_the_others_are_home(
    tmp_path: Path, service: TwoAccounts
) -> None:
    """Whoever refused the create for want of credit may have made the job: it stays there until that is known."""
    service.lab.fault("create", "429", code="insufficient_quota", message="You exceeded your current quota.")
    with opened(tmp_path / "library", RIG, service, environ=TWO) as library:
        with pytest.raises(NoCredit, match=LAB):
            library.index([samples(tmp_path / "photos", PHOTOS)], **OPENAI)
        assert library.status().files.described == PHOTOS - 2
        service.lab.clear_faults()
        assert library.collect(wait=True).files.described == PHOTOS
    books = [each.books()["served"]["batch"] for each in (service, service.lab)]
    assert sum(books) == PHOTOS


def test_best_stays_with_a_provider_of_which_one_account_lives(tmp_path: Path, service: TwoAccounts) -> None:
    """Nobody dearer is asked."""
    with opened(tmp_path / "library", RIG, service, environ={**TWO, LAB: "bad-key"}) as library:
        report = library.index([samples(tmp_path / "photos", PHOTOS)], **{**OPENAI, "provider": "best"})
    assert (report.files.described, service.books()["served"]) == (PHOTOS, {"batch": PHOTOS})


def test_an_account_that_left_frees_what_it_was_never_sent(tmp_path: Path, service: TwoAccounts) -> None:
    """Without its key, and without the setting that named it."""
    service.lab.fault("upload", "503")
    with opened(tmp_path / "library", RIG, service, environ=TWO) as library, pytest.raises(Unreachable):
        library.index([samples(tmp_path / "photos", PHOTOS)], wait=False, **OPENAI)
    assert LAB in [shard.account for shard in _open(tmp_path / "library")]
    with opened(tmp_path / "library", RIG, service) as library:
        assert library.collect(wait=True).files.described == PHOTOS
    assert (service.books()["served"], service.lab.books()["served"]) == ({"batch": PHOTOS}, {})


def test_a_small_queue_makes_batches_smaller_for_its_account_alone(tmp_path: Path, service: TwoAccounts) -> None:
    """The other one goes on as before."""
    service.settings["enqueued_tokens"] = 100_000
    service.lab.settings["enqueued_tokens"] = 1_200
    with opened(tmp_path / "library", RIG, service, environ=TWO) as library:
        report = library.index([samples(tmp_path / "photos", PHOTOS)], **OPENAI)
    sizes = [{job["request_counts"]["total"] for job in each.all("job")} for each in (service, service.lab)]
    assert (report.files.described, sizes) == (PHOTOS, [{2}, {0, 1}])


def test_an_account_without_its_key_is_told_by_name(tmp_path: Path, service: TwoAccounts) -> None:
    """The others come home first; nothing that it holds is given up, and with the key all goes on."""
    with opened(tmp_path / "library", RIG, service, environ=TWO) as library:
        library.index([samples(tmp_path / "photos", PHOTOS)], wait=False, **OPENAI)
    with (
        opened(tmp_path / "library", RIG, service, environ={**TWO, LAB: ""}) as library,
        pytest.raises(KeyMissing, match=LAB),
    ):
        library.collect(wait=True)
    with opened(tmp_path / "library", RIG, service, environ=TWO) as library:
        report = library.collect(wait=True)
    books = service.books()["served"]["batch"] + service.lab.books()["served"]["batch"]
    assert (report.files.described, books) == (PHOTOS, PHOTOS)


@pytest.mark.parametrize(("key", "good"), [(LAB_KEY, True), ("", False)])
def test_doctor_says_whether_each_account_has_its_key(tmp_path: Path, key: str, good: bool) -> None:
    """By the names of their variables, whose values it does not tell; without one, batches of that account wait."""
    [found] = [one for one in examine_library(tmp_path, {**TWO, LAB: key}) if one.what == f"account {LAB} of openai"]
    assert (found.good, LAB in found.words, LAB_KEY in f"{found.words} {found.fix}") == (good, not good, False)


@pytest.mark.parametrize("kind", ["drop", "503", "garbage"])
def test_a_create_whose_outcome_is_unknown_is_looked_for_in_its_own_account(
    tmp_path: Path, service: TwoAccounts, kind: str
) -> None:
    """The job was made and the answer lost: it is found there, and nobody is asked twice."""
    service.lab.fault("create", kind, nth=1, times=1, when="after")
    with opened(tmp_path / "library", RIG, service, environ=TWO) as library:
        report = library.index([samples(tmp_path / "photos", PHOTOS)], **OPENAI)
    books = service.books()["served"]["batch"] + service.lab.books()["served"]["batch"]
    assert (report.files.described, books) == (PHOTOS, PHOTOS)
    assert len({job["input_file_id"] for job in service.lab.all("job")}) == len(service.lab.all("job"))


def test_a_plan_counts_the_queues_of_all_accounts(tmp_path: Path, service: TwoAccounts) -> None:
    """Two queues are filled half as often."""
    waves = []
    for number, environ in enumerate(({}, TWO)):
        with opened(tmp_path / f"library-{number}", RIG, service, environ=environ) as library:
            told = library.quote(photos=1_000_000)
            waves.append(next(one.waves for one in told.routes if (one.provider, str(one.mode)) == ("openai", "batch")))
    assert waves[1] == pytest.approx(waves[0] / 2, abs=1)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"local": [LAB]}, "only services with a key and batches"),
        ({"vertex": [LAB]}, "not the variable of a further account"),
        ({"deepseek": [LAB]}, "only services with a key and batches"),
        ({"opnai": [LAB]}, "no provider 'opnai'"),
        ({"openai": 3}, "not a list of variables"),
        ({"openai": ["OPENAI_API_KEY"]}, "not the variable of a further account"),
        ({"openai": ["GOOGLE_API_KEY"]}, "not the variable of a further account"),
        ({"openai": [LAB, "sk-1234567890abcdef"]}, "name at place 2 is not the variable"),
        ({"openai": {"a": "sk-1234567890abcdef"}}, "not a list of variables"),
    ],
)
def test_accounts_that_cannot_be_are_refused_in_words(table: dict[str, Any], words: str) -> None:
    """A key itself is no name of an account, nor is the usual key's variable."""
    with pytest.raises(BadSetting, match=words) as caught:
        refuse_unfit(table, spec, ("OPENAI_API_KEY", "GOOGLE_API_KEY"))
    assert "sk-" not in f"{caught.value} {caught.value.hint}"


def test_an_account_is_the_environment_with_another_key() -> None:
    """Whatever else leads to the service stays; the usual account is the environment as it is."""
    environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://here", LAB: f" {LAB_KEY} "}
    found = environ_of(spec("openai"), environ, LAB)
    assert (found["OPENAI_API_KEY"], found["OPENAI_BASE_URL"]) == (LAB_KEY, "http://here")
    assert environ_of(spec("openai"), environ, "") is environ
    assert accounts({"accounts": {"openai": f"{LAB}, {LAB},"}}, "openai") == ("", LAB)


def test_an_account_of_a_cloud_is_a_project() -> None:
    """Whose credentials and bucket are those of the machine."""
    refuse_unfit({"vertex": ["LAB_GOOGLE_CLOUD_PROJECT"]}, spec, ())
    found = environ_of(spec("vertex"), {"LAB_GOOGLE_CLOUD_PROJECT": "lab-1"}, "LAB_GOOGLE_CLOUD_PROJECT")
    assert found["GOOGLE_CLOUD_PROJECT"] == "lab-1"


def _open(folder: Path) -> list[shards.Shard]:
    ledger = Ledger.read(folder)
    try:
        return shards.open_shards(ledger)
    finally:
        ledger.close()
