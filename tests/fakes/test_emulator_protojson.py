"""The emulator's parser of protobuf-JSON holds for any input."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.gemini import protojson
from tests.fakes.gemini.messages import messages

NAMES = sorted({name for fields in messages().values() for name in fields})


@given(st.binary())
def test_base64_round_trip(data: bytes) -> None:
    """Both alphabets, padded or not, decode to the same bytes."""
    for text in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()):
        assert protojson.decode_base64(text) == protojson.decode_base64(text.rstrip("=")) == data


@given(st.integers(-(2**63), 2**63 - 1))
def test_int64_comes_as_number_or_text(number: int) -> None:
    """Every int64 can be written both ways; one more is out of range."""
    for form in (number, str(number)):
        assert protojson.parse({"file": {"size_bytes": form}}, "CreateFileRequest") == {"file": {"size_bytes": number}}
    with pytest.raises(protojson.Refused):
        protojson.parse({"file": {"size_bytes": str(2**63)}}, "CreateFileRequest")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.sampled_from(NAMES) | st.text(), children),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_read_or_refused(value: Any) -> None:
    """No value of any shape breaks the parser, and what it accepts it accepts again."""
    with contextlib.suppress(protojson.Refused):
        parsed = protojson.parse(value, "GenerateContentRequest")
        assert protojson.parse(parsed, "GenerateContentRequest") == parsed


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_json_or_refused(raw: bytes) -> None:
    """What is no strict JSON is a syntax error, never another exception."""
    with contextlib.suppress(protojson.Syntax):
        value = protojson.load(raw)
        assert json.loads(raw.decode()) == value
