"""Vertex from folder to search, before strict fakes of it and of Cloud Storage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer.domain.errors import BadSetting, KeyMissing, KeyRefused
from indexer.library.api import Library, Seams
from indexer.providers.vertex.storage import place
from search import Index
from tests.fakes.vertex import BUCKET, FakeVertex
from tests.support.rigs import RIGS, ServiceTime, opened
from tests.support.virtual import samples

RIG = RIGS["vertex"]
VERTEX: dict[str, Any] = {"provider": "vertex", "workers": 0}
PHOTOS = 11


@pytest.fixture
def service(tmp_path: Path) -> Iterator[FakeVertex]:
    """The service; an hour of its time passes before a job ends, and lists come in small pages."""
    with FakeVertex(tmp_path / "service", pending=60.0, running=3600.0, page=2, output_shards=3) as running:
        yield running


@pytest.mark.parametrize("mode", ["batch", "interactive"])
def test_sample_pictures_are_described_once(tmp_path: Path, service: FakeVertex, mode: str) -> None:
    """Found by words; a second run, a rename and a copy ask for nothing; the plan's tokens and the bill are right."""
    photos = samples(tmp_path / "photos")
    with opened(tmp_path / "library", RIG, service) as library:
        plan = library.plan([photos], mode=mode, **VERTEX)
        assert service.books()["requests"] == {}
        report = library.index([photos], mode=mode, approve=True, **VERTEX)
        assert (report.files.described, report.files.failed, report.rows) == (PHOTOS, 0, PHOTOS)
        books = service.books()
        assert books["served"] == {mode: PHOTOS}
        assert plan.input_tokens == pytest.approx(books["input_tokens"], rel=0.02)
        assert report.cost.spent_usd == pytest.approx(books["usd"], rel=1e-9)
        (photos / "dogs_window.jpg").rename(photos / "friends.jpg")
        shutil.copy(photos / "wall_clock.jpg", photos / "time.jpg")
        again = library.index([photos], mode=mode, approve=True, **VERTEX)
        assert (again.files.described, again.requests.submitted) == (PHOTOS + 1, 0)
        assert service.books()["requests"] == books["requests"]
    hits = Index.open(tmp_path / "library").search("two dogs at a window")
    assert Path(hits[0].path).name == "friends.jpg"
    for path in (tmp_path / "library").rglob("*"):
        assert not path.is_file() or b"ya29." not in path.read_bytes(), path


def test_the_pilot_goes_by_single_calls(tmp_path: Path, service: FakeVertex) -> None:
    """And needs no bucket of its own."""
    with opened(tmp_path / "library", RIG, service) as library:
        library.index([samples(tmp_path / "photos")], approve=True, pilot=3, **VERTEX)
    assert service.books()["served"] == {"interactive": 3, "batch": PHOTOS - 3}


def test_rows_go_through_the_bucket_and_nothing_stays_there(tmp_path: Path, service: FakeVertex) -> None:
    """While the job is out, the rows lie under its name; afterwards neither they nor the predictions do."""
    with opened(tmp_path / "library", RIG, service) as library:
        photos = samples(tmp_path / "photos", 3)
        library.index([photos], approve=True, wait=False, **VERTEX)
        (name,) = service.buckets.names(BUCKET)
        (job,) = service.all("job")
        assert name == f"photos/{job['displayName']}/requests.jsonl"
        assert job["labels"] == {"captionary": job["displayName"]}
        rows = [json.loads(row) for row in (service.buckets.read(f"gs://{BUCKET}/{name}") or b"").splitlines()]
        assert len({row["request"]["labels"]["captionary"] for row in rows}) == 3
        assert all(str(photos) not in json.dumps(row) for row in rows)
        library.collect(wait=True)
        assert library.status().files.described == 3
    assert service.buckets.names(BUCKET) == []


@pytest.mark.parametrize("fate", ["no_output_info", "partial"])
def test_predictions_are_found_where_the_job_does_not_name_them(tmp_path: Path, service: FakeVertex, fate: str) -> None:
    """The place that was asked for is looked into."""
    service.fault("job", fate)
    with opened(tmp_path / "library", RIG, service) as library:
        report = library.index([samples(tmp_path / "photos", 4)], approve=True, **VERTEX)
    assert report.files.described == 4


def test_what_a_job_wrote_before_it_was_stopped_is_kept(tmp_path: Path, service: FakeVertex) -> None:
    """At the deadline the job is cancelled; what it had answered is not bought again."""
    with opened(tmp_path / "library", RIG, service) as library:
        options = {**VERTEX, "deadline": 1800.0}
        report = library.index([samples(tmp_path / "photos", 10)], approve=True, **options)
    assert report.files.described == 10
    served = service.books()["served"]
    assert served["batch"] > 0
    assert served["batch"] + served["interactive"] == 10


MISSING = [
    ({"CAPTIONARY_VERTEX_BUCKET": ""}, "none is set", "CAPTIONARY_VERTEX_BUCKET"),
    ({"CAPTIONARY_VERTEX_BUCKET": "gs://no-such-bucket"}, "does not exist", "gcloud storage buckets create"),
    ({"CAPTIONARY_VERTEX_BUCKET": "gs://closed-bucket"}, "storage.objects.delete", "roles/storage.objectUser"),
    ({"CAPTIONARY_VERTEX_BUCKET": "my-bucket"}, "not the address of a bucket", "gs://NAME"),
]


@pytest.mark.parametrize(("told", "words", "hint"), MISSING)
def test_a_bucket_that_is_missing_or_closed_is_one_line_before_anything_is_packed(
    tmp_path: Path, told: dict[str, str], words: str, hint: str
) -> None:
    """Nothing was written, uploaded or paid, not even a pilot."""
    held = {BUCKET: (), "closed-bucket": ("storage.objects.create", "storage.objects.get", "storage.objects.list")}
    with FakeVertex(tmp_path / "service", buckets=held) as service:
        with opened(tmp_path / "library", RIG, service, environ=told) as library:
            with pytest.raises(BadSetting) as caught:
                library.index([samples(tmp_path / "photos", 2)], approve=True, pilot=1, **VERTEX)
            assert library.status().cost.spent_usd == 0
        assert service.books()["served"] == {}
    assert words in str(caught.value)
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "library" / "batches").glob("*.jsonl")) == []


@pytest.mark.parametrize("bucket", ["", f"gs://{BUCKET}"])
def test_vertex_is_a_route_only_with_its_bucket(tmp_path: Path, service: FakeVertex, bucket: str) -> None:
    """Whoever has a project for other things is not sent there by `best`."""
    with opened(tmp_path / "library", RIG, service, environ={"CAPTIONARY_VERTEX_BUCKET": bucket}) as library:
        library.index([samples(tmp_path / "photos", 1)], provider="local", workers=0)
        routes = [route for route in library.quote([tmp_path / "photos"]).routes if route.provider == "vertex"]
    assert {route.usable for route in routes} == ({True} if bucket else set())


def test_without_a_project_or_credentials_the_way_to_them_is_told(tmp_path: Path, service: FakeVertex) -> None:
    """A variable's name for one, gcloud's command for the other; a token that was taken back is renewed or told."""
    photos = samples(tmp_path / "photos", 1)
    told = RIG.environ(service)
    for name, without in (("GOOGLE_CLOUD_PROJECT", ""), ("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file.json")):
        seams = Seams({**told, name: without}, ServiceTime(service))
        with Library.open(tmp_path / name, seams=seams) as library, pytest.raises(KeyMissing) as caught:
            library.index([photos], approve=True, mode="interactive", **VERTEX)
        assert "gcloud auth application-default login" in caught.value.hint
    with opened(tmp_path / "library", RIG, service) as library:
        library.index([photos], approve=True, mode="interactive", **VERTEX)
        service.tokens.revoke()
        shutil.copy(photos.parent / "photos" / next(photos.iterdir()).name, tmp_path / "one.jpg")
        with pytest.raises(KeyRefused) as refused:
            library.index([samples(tmp_path / "more", 3)], approve=True, mode="interactive", **VERTEX)
        assert "ya29" not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize("address", ["gs://abc", "gs://abc/", "gs://a.b-c_d/some/folder/"])
def test_the_address_of_a_bucket_is_read(address: str) -> None:
    """With or without a folder."""
    found = place(address)
    assert found.address == address.rstrip("/")
    assert found.within("x").address == address.rstrip("/") + "/x"
