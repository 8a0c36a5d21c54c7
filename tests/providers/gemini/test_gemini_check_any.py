"""The preflight before any bytes: our own lines pass, nothing raises, nothing that is refused gets through."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE
from indexer.domain.question import Question, Request, Settings
from indexer.providers.gemini.adapter import Gemini, SchemaField
from indexer.providers.gemini.check import check_file
from tests.providers.gemini.test_gemini_check import FIELD_FAULTS, JPEG, Check, with_value
from tests.providers.gemini.test_gemini_check import check as check


def question(model: str, resolution: str, thinking: str) -> Question:
    """The default question, asked of `model`."""
    return Question(
        "gemini", model, DEFAULT_TEMPLATE, DEFAULT_SCHEMA, Settings(media_resolution=resolution, thinking=thinking)
    )


@pytest.mark.parametrize("field", list(SchemaField))
@pytest.mark.parametrize("model", ["gemini-3.5-flash-lite", "gemini-3.8-flash", "gemini-2.5-flash", "gemini-2.5-pro"])
def test_our_own_lines_have_no_faults(check: Check, model: str, field: SchemaField) -> None:
    """Whatever the setting, what we send passes."""
    provider = Gemini("key", schema_field=field)
    lines = [
        provider.batches.encode(
            Request(f"k{resolution}{thinking}", question(model, resolution, thinking), JPEG, "Say.")
        )
        for resolution in ("default", "low", "medium", "high")
        for thinking in ("default", "minimal", "low", "medium", "high")
    ]
    assert check(b"\n".join(lines) + b"\n") == []


@given(
    prompt=st.text(min_size=1).filter(str.strip), image=st.binary(max_size=300), key=st.text(min_size=1, max_size=64)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_prompt_picture_or_key_makes_our_lines_faulty(check: Check, prompt: str, image: bytes, key: str) -> None:
    """Prompts hold whatever a file says of itself."""
    asked = Request(key, question("gemini-3.5-flash-lite", "medium", "minimal"), JPEG + image, prompt)
    assert check(Gemini("key").batches.encode(asked) + b"\n") == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PLACES = st.sampled_from(sorted({path for path, *_ in FIELD_FAULTS}))


@given(content=st.binary(max_size=400))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_arbitrary_bytes_never_raise(check: Check, content: bytes) -> None:
    """Whatever the file, faults come out and nothing is raised."""
    assert check(content) != []


@given(place=PLACES, value=JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
def test_arbitrary_values_anywhere_never_raise(check: Check, place: str, value: object) -> None:
    """Every fault has its line, its words and its mend."""
    for fault in check(with_value(place, value)):
        assert fault.line == 1
        assert fault.problem
        assert fault.fix


@given(place=PLACES, value=JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
def test_what_the_service_refuses_the_check_refuses(tmp_path: Path, check: Check, place: str, value: object) -> None:
    """The emulator reads lines as strictly as the service, by its own code; nothing it refuses may pass here."""
    faults = check(with_value(place, value))
    assert faults or not refusal(tmp_path / "batch.jsonl")


def refusal(path: Path) -> str:
    """Return the words with which the emulator refuses the file, "" when it takes it."""
    from tests.fakes.gemini.batchlines import read_lines
    from tests.fakes.gemini.wire import ApiError

    try:
        list(read_lines(path))
    except ApiError as error:
        return str(error) or "refused"
    return ""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Twenty times the lines, the same peak."""
    asked = question("gemini-3.5-flash-lite", "medium", "minimal")
    provider = Gemini("key")

    def peak(count: int) -> int:
        path = tmp_path / f"{count}.jsonl"
        with path.open("wb") as stream:
            for index in range(count):
                stream.write(provider.batches.encode(Request(f"k{index}", asked, JPEG + bytes(50_000), "Say.")) + b"\n")
        tracemalloc.start()
        assert list(check_file(path)) == []
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    few = peak(10)
    assert peak(200) < few + 200_000
