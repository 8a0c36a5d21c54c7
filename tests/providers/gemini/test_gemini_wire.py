"""The Gemini batch line, on its way back: every row shape that reports show."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.domain.answer import Answer, Failure, Handling, Reason, Row, Usage
from indexer.providers.google.wire import decode_line


def answer_text(**changes: Any) -> str:
    """Return what a model that complies writes."""
    return json.dumps({"description": "Two dogs.", "visible_text": "EXIT", "tags": ["dogs", "window"]} | changes)


def row_line(*texts: str, finish: str | None = "STOP", **response: Any) -> bytes:
    """Return a result line as the service writes it."""
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text} for text in texts], "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    body = {
        "candidates": [candidate],
        "usageMetadata": {"promptTokenCount": 1427, "candidatesTokenCount": 144, "totalTokenCount": 1571},
        "modelVersion": "gemini-3.5-flash-lite",
        "responseId": "CV-H",
    }
    return json.dumps({"response": body | response, "key": "k1"}).encode()


GOOD = Answer("Two dogs.", ("dogs", "window"), "EXIT", {}, "gemini-3.5-flash-lite")
PAID = Usage(1427, 144)


def test_a_good_row_is_read_whole() -> None:
    """Key, answer, model and tokens."""
    assert decode_line(row_line(answer_text())) == Row("k1", GOOD, PAID)


ANSWERS: list[tuple[str, bytes]] = [
    ("several text parts are one answer", row_line(*answer_text().partition(": "))),
    ("a code fence around it", row_line(f"```json\n{answer_text()}\n```")),
    ("a bare code fence", row_line(f"```\n{answer_text()}\n```")),
    ("a fence that never ends", row_line(f"```json\n{answer_text()}")),
    ("talk around it", row_line(f"Here you are:\n{answer_text()}\nAnything else?")),
    ("talk with a brace before a fence", row_line(f"As {{asked}}:\n```json\n{answer_text()}\n```")),
    ("a second object after it", row_line(answer_text() + "\n" + answer_text(description="Another."))),
    ("pretty printing", row_line(json.dumps(json.loads(answer_text()), indent=2))),
    ("the limit reached just after the end", row_line(answer_text(), finish="MAX_TOKENS")),
    ("no finish reason", row_line(answer_text(), finish=None)),
    ("a finish reason of tomorrow", row_line(answer_text(), finish="BRAND_NEW")),
    ("tags as one text", row_line(answer_text(tags="dogs, window"))),
    ("tags in capitals, twice, padded, empty", row_line(answer_text(tags=[" Dogs", "WINDOW ", "dogs", "", "  "]))),
    ("tags with what is no text", row_line(answer_text(tags=["dogs", None, {"a": 1}, "window"]))),
    ("text in lines", row_line(answer_text(visible_text=["EXIT"]))),
    ("server fields of tomorrow", row_line(answer_text(), newField={"a": [1]}, createTime="x")),
    ("a byte order mark", b"\xef\xbb\xbf" + row_line(answer_text())),
    ("carriage return", row_line(answer_text()) + b"\r"),
    (
        "the key in the metadata, as inline results have it",
        row_line(answer_text()).replace(b'"key": "k1"', b'"metadata": {"key": "k1"}'),
    ),
    ("an empty error beside it", row_line(answer_text())[:-1] + b', "error": null}'),
]


@pytest.mark.parametrize("line", [line for _, line in ANSWERS], ids=[name for name, _ in ANSWERS])
def test_answers_are_read_in_every_shape_that_was_reported(line: bytes) -> None:
    """Paid answers are kept wherever reading them is no guess."""
    assert decode_line(line) == Row("k1", GOOD, PAID)


def test_thoughts_are_no_part_of_the_answer() -> None:
    """Thought parts hold drafts, and signatures hold no text."""
    content = {
        "parts": [
            {"text": '{"description": "a draft"}', "thought": True},
            {"text": answer_text()},
            {"thoughtSignature": "El4K"},
        ]
    }
    line = row_line(candidates=[{"content": content, "finishReason": "STOP"}])
    assert decode_line(line).outcome == GOOD


def test_further_fields_of_the_answer_are_kept() -> None:
    """A schema of one's own may ask for more."""
    outcome = decode_line(row_line(answer_text(mood="calm", scores={"sharp": 0.5}))).outcome
    assert isinstance(outcome, Answer)
    assert outcome.fields == {"mood": "calm", "scores": {"sharp": 0.5}}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("A \\ud83d hat", "A \ufffd hat"),
        ("A \\ud83d\\ude00 hat", "A \U0001f600 hat"),
        ("A\\u0000 hat", "A hat"),
        ("A\\u001b[31m hat", "A[31m hat"),
        ("A\u2028hat", "A\u2028hat"),
        ("A\nhat\twith breaks", "A\nhat\twith breaks"),
    ],
)
def test_texts_come_out_storable(written: str, kept: str) -> None:
    """Lone surrogates and control characters break databases and terminals; line breaks are text."""
    outcome = decode_line(row_line('{"description": "' + written + '", "more": ["' + written + '"]}')).outcome
    assert isinstance(outcome, Answer)
    assert outcome.description == kept
    assert outcome.fields == {"more": [kept]}
    outcome.description.encode()


@pytest.mark.parametrize("description", [3, 2.5])
def test_a_number_where_text_was_asked_is_its_digits(description: float) -> None:
    """That is no guess."""
    outcome = decode_line(row_line(answer_text(description=description))).outcome
    assert isinstance(outcome, Answer)
    assert outcome.description == str(description)


KEPT, AGAIN, PAUSE = Handling.KEEP, Handling.AGAIN, Handling.PAUSE


def error_line(code: object, message: str | None = "Something.") -> bytes:
    """Return a row that the service could not serve."""
    error = {"code": code} if message is None else {"code": code, "message": message}
    return json.dumps({"error": error, "key": "k1"}).encode()


FAILURES: list[tuple[str, bytes, Reason, Handling]] = [
    (
        "prompt blocked",
        row_line(candidates=None, promptFeedback={"blockReason": "PROHIBITED_CONTENT"}),
        Reason.BLOCKED,
        KEPT,
    ),
    (
        "blocked, reason of tomorrow",
        row_line(candidates=[], promptFeedback={"blockReason": "NEW"}),
        Reason.BLOCKED,
        KEPT,
    ),
    *[
        (f"answer blocked: {finish}", row_line(candidates=[{"finishReason": finish, "index": 0}]), Reason.BLOCKED, KEPT)
        for finish in ("SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "BLOCKLIST", "IMAGE_SAFETY")
    ],
    ("blocked after some text", row_line(answer_text(), finish="SAFETY"), Reason.BLOCKED, KEPT),
    ("cut off", row_line(answer_text()[:30], finish="MAX_TOKENS"), Reason.TRUNCATED, KEPT),
    (
        "cut off while thinking",
        row_line(candidates=[{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}]),
        Reason.TRUNCATED,
        KEPT,
    ),
    (
        "repetition to the limit",
        row_line('{"description": "' + "a hat " * 9000, finish="MAX_TOKENS"),
        Reason.TRUNCATED,
        KEPT,
    ),
    ("broken JSON", row_line(answer_text()[:30]), Reason.MALFORMED, KEPT),
    ("no JSON", row_line("Two dogs."), Reason.MALFORMED, KEPT),
    ("a list", row_line("[1, 2]"), Reason.MALFORMED, KEPT),
    ("another schema", row_line('{"caption": "Two dogs."}'), Reason.MALFORMED, KEPT),
    (
        "the template with nulls",
        row_line('{"description": null, "tags": null, "visible_text": null}'),
        Reason.MALFORMED,
        KEPT,
    ),
    ("an empty description", row_line(answer_text(description=" ")), Reason.MALFORMED, KEPT),
    ("a description that is a list", row_line(answer_text(description=["a"])), Reason.MALFORMED, KEPT),
    ("empty text", row_line(""), Reason.MALFORMED, KEPT),
    ("unknown finish without text", row_line("", finish="OTHER"), Reason.MALFORMED, KEPT),
    ("empty content", row_line(candidates=[{"content": {}, "finishReason": "STOP"}]), Reason.MALFORMED, KEPT),
    ("no candidates", row_line(candidates=[]), Reason.MALFORMED, KEPT),
    ("empty response", b'{"response": {}, "key": "k1"}', Reason.MALFORMED, KEPT),
    ("neither response nor error", b'{"key": "k1"}', Reason.MALFORMED, KEPT),
    ("response of another type", b'{"response": "yes", "key": "k1"}', Reason.MALFORMED, KEPT),
    ("nested beyond reading", row_line('{"description": ' + "[" * 50_000), Reason.MALFORMED, KEPT),
    ("code 1", error_line(1, None), Reason.MISSING, AGAIN),
    ("code 3", error_line(3, "Unable to process input image."), Reason.REJECTED, KEPT),
    ("code 3 without a message", error_line(3, None), Reason.REJECTED, KEPT),
    ("code 7", error_line(7), Reason.REJECTED, KEPT),
    (
        "an expired file",
        error_line(7, "You do not have permission to access the File abc or it may not exist."),
        Reason.REJECTED,
        AGAIN,
    ),
    *[(f"code {code}", error_line(code), Reason.SERVER_ERROR, KEPT) for code in (2, 4, 8, 13, 14, 500, 503, "13")],
    (
        "plain quota",
        error_line(8, "You exceeded your current quota, please check your plan and billing details."),
        Reason.SERVER_ERROR,
        KEPT,
    ),
    ("no credit", error_line(8, "Your prepayment credits are depleted."), Reason.REJECTED, PAUSE),
    ("no credit, as an argument", error_line(3, "Your credit balance is too low"), Reason.REJECTED, PAUSE),
    ("a dead key", error_line(3, "API key not valid. Please pass a valid API key."), Reason.REJECTED, PAUSE),
    ("code 16", error_line(16), Reason.REJECTED, PAUSE),
    ("an error that is text", b'{"error": "boom", "key": "k1"}', Reason.SERVER_ERROR, KEPT),
    ("an error without a code", b'{"error": {"status": "INTERNAL"}, "key": "k1"}', Reason.SERVER_ERROR, KEPT),
    (
        "an error beside an empty response",
        b'{"error": {"code": 3}, "response": {}, "key": "k1"}',
        Reason.REJECTED,
        KEPT,
    ),
]


@pytest.mark.parametrize(
    ("line", "reason", "handling"), [case[1:] for case in FAILURES], ids=[case[0] for case in FAILURES]
)
def test_every_failure_has_its_reason_and_what_it_means(line: bytes, reason: Reason, handling: Handling) -> None:
    """Blocked is not empty, truncated is not malformed, an empty purse is no photo's fault."""
    row = decode_line(line)
    assert row.key == "k1"
    assert isinstance(row.outcome, Failure)
    assert (row.outcome.reason, row.outcome.handling) == (reason, handling)
    assert row.outcome.detail
    assert "\n" not in row.outcome.detail
    assert len(row.outcome.detail) <= 320


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (row_line(""), "the answer is empty"),
        (row_line("Two dogs."), "the answer is not a JSON object"),
        (row_line("{"), "the answer is not complete JSON"),
        (row_line("", finish="OTHER"), "the answer is empty (finished for OTHER)"),
        (error_line(3, "Unable to process\n input image."), "Unable to process input image. (code 3)"),
        (error_line(13, None), "the service gave no reason (code 13)"),
    ],
)
def test_details_say_what_there_was(line: bytes, detail: str) -> None:
    """They are read by the person who wonders about one photo."""
    outcome = decode_line(line).outcome
    assert isinstance(outcome, Failure)
    assert outcome.detail == detail


def test_failed_rows_are_paid_for_where_the_service_says_so() -> None:
    """Blocked and truncated answers are billed."""
    assert decode_line(row_line(candidates=[{"finishReason": "SAFETY"}])).usage == PAID
    assert decode_line(row_line("{", finish="MAX_TOKENS")).usage == PAID


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 7}, Usage(10, 12)),
        ({"promptTokenCount": "10", "candidatesTokenCount": "5"}, Usage(10, 5)),
        ({"promptTokenCount": 10}, Usage(10, 0)),
        ({}, None),
        (None, None),
        ({"promptTokenCount": -1}, None),
        ({"promptTokenCount": "many"}, None),
        ({"promptTokenCount": True}, None),
        ("none", None),
    ],
)
def test_usage_counts_thoughts_as_output_and_silence_as_unknown(usage: object, expected: Usage | None) -> None:
    """Unknown is not zero."""
    assert decode_line(row_line(answer_text(), usageMetadata=usage)).usage == expected


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (b'{"response": {}, "key": 7}', "7"),
        (b'{"response": {}, "key": ""}', None),
        (b'{"response": {}, "key": true}', None),
        (b'{"response": {}, "key": ["k1"]}', None),
        (b'{"response": {}}', None),
        (b'{"response": {}, "key": "a\\ud83d"}', "a\ufffd"),
        (b'{"key": "k1", "response": {"candi', "k1"),
        (b'{"response": {"text": "\xff\xfe"}, "key": "k1"}', "k1"),
        (b'{"response": {"candi', None),
        (b"", None),
        (b"[]", None),
        (b"null", None),
    ],
)
def test_the_key_is_read_or_rescued(line: bytes, key: str | None) -> None:
    """A row that cannot be read still says, where it can, whose it was."""
    row = decode_line(line)
    assert row.key == key
    assert isinstance(row.outcome, Failure)
    assert row.outcome.reason is Reason.MALFORMED


def storable(value: object) -> bool:
    """Whether a database and a JSON file can hold `value`."""
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return True


def assert_sound(row: Row) -> None:
    """A row is whole, whatever it was read from."""
    assert isinstance(row, Row)
    assert row.key is None or storable(row.key)
    if isinstance(row.outcome, Answer):
        assert row.outcome.description.strip()
        assert all(tag and tag == tag.strip().lower() for tag in row.outcome.tags)
        assert len(set(row.outcome.tags)) == len(row.outcome.tags)
        assert storable([row.outcome.description, row.outcome.visible_text, row.outcome.model])
        assert storable([row.outcome.tags, row.outcome.fields])
    else:
        assert row.outcome.detail
        assert storable(row.outcome.detail)


@given(st.binary(max_size=400))
def test_arbitrary_bytes_never_raise(line: bytes) -> None:
    """Every line ends as a row."""
    assert_sound(decode_line(line))


@given(st.integers(0, 10_000), st.binary(max_size=6))
def test_damaged_rows_never_raise(place: int, damage: bytes) -> None:
    """Bytes overwritten anywhere in a good row."""
    line = row_line(answer_text(mood=["calm"]))
    place %= len(line)
    assert_sound(decode_line(line[:place] + damage + line[place + len(damage) :]))
    assert_sound(decode_line(line[:place]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = ["candidates", "promptFeedback", "usageMetadata", "modelVersion"]


@given(st.sampled_from(NAMES), JSON)
def test_arbitrary_values_in_a_response_never_raise(name: str, value: object) -> None:
    """The service may change any type it likes."""
    assert_sound(decode_line(row_line(answer_text(), **{name: value})))


@given(st.sampled_from(["description", "tags", "visible_text", "more"]), JSON)
def test_arbitrary_values_in_an_answer_never_raise(name: str, value: object) -> None:
    """And so may the model."""
    assert_sound(decode_line(row_line(answer_text(**{name: value}))))


@given(st.sampled_from(["content", "finishReason", "finishMessage"]), JSON)
def test_arbitrary_values_in_a_candidate_never_raise(name: str, value: object) -> None:
    """Content and reason of another type are no answer."""
    assert_sound(decode_line(row_line(candidates=[{"finishReason": "STOP", name: value}])))


@given(JSON)
def test_arbitrary_errors_never_raise(value: object) -> None:
    """An error says something, or nothing readable."""
    assert_sound(decode_line(json.dumps({"error": value, "key": "k1"}).encode()))
