"""Operations as the service writes them, read as jobs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.domain.job import Job, JobState
from indexer.providers.gemini.operations import read_job


@pytest.mark.parametrize(
    "operation",
    [
        {},
        {"name": 7},
        {"name": "operations/x"},
        {"metadata": []},
        {"name": "batches/a b"},
    ],
)
def test_what_is_no_job_is_read_as_none(operation: dict[str, object]) -> None:
    """A list may hold operations of other kinds."""
    assert read_job(operation) is None


@pytest.mark.parametrize(
    ("operation", "state"),
    [
        ({"done": True}, JobState.FINISHED),
        ({"done": True, "error": {"code": 13}}, JobState.FAILED),
        ({}, JobState.RUNNING),
        ({"metadata": {"state": "JOB_STATE_PARTIALLY_SUCCEEDED"}}, JobState.FINISHED),
        ({"metadata": {"state": "BATCH_STATE_UNSPECIFIED"}}, JobState.RUNNING),
        ({"metadata": {"state": 3}}, JobState.RUNNING),
    ],
)
def test_the_state_is_read_from_what_there_is(operation: dict[str, object], state: JobState) -> None:
    """Where the state is missing, `done` and the outcome tell."""
    job = read_job({"name": "batches/abc", **operation})
    assert job is not None
    assert job.state is state


def test_counts_and_times_are_read_as_the_wire_writes_them() -> None:
    """Numbers are strings, zeros are left out, times have nanoseconds; nonsense is unknown."""
    text = """{"name": "batches/a1", "metadata": {"batchStats": {"requestCount": "9", "successfulRequestCount": "9"},
        "createTime": "2026-08-20T20:08:31.015405218Z", "endTime": "soon", "state": "BATCH_STATE_SUCCEEDED"}}"""
    job = read_job(json.loads(text))
    assert job is not None
    assert (job.requests, job.succeeded, job.failed) == (9, 9, 0)
    assert job.created_at == pytest.approx(1787256511.015405)
    assert job.ended_at is None
    bare = read_job({"name": "batches/a1"})
    assert bare is not None
    assert (bare.requests, bare.succeeded, bare.failed) == (None, None, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TOP = st.sampled_from(["metadata", "error", "response", "done"])
INNER = st.sampled_from(["state", "displayName", "inputConfig", "output", "batchStats", "createTime", "name"])


@given(TOP, JSON, INNER, JSON)
def test_any_operation_is_a_job_or_none(top: str, value: object, inner: str, within: object) -> None:
    """Whatever the service changes, polling goes on."""
    operation = {"name": "batches/a1", "metadata": {inner: within}, top: value}
    assert isinstance(read_job(operation), Job)
    assert isinstance(read_job({"name": "batches/a1", "metadata": {inner: within}}), Job)
