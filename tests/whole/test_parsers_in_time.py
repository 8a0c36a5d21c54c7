"""Text that nobody here wrote costs a parser linear time, ends in a value or an error in words, and grows into nothing.

One table of parsers: queries, filters, names of files, dates, metadata, sidecars, answers and errors of services,
settings, checks, schemas. Each is given long texts of a few repeated pieces, which is what makes an expression or a
loop quadratic, and deep ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path, PurePath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from indexer import providers
from indexer.domain import prompts
from indexer.domain.answer import Answer
from indexer.domain.checks import read_checks, read_duration
from indexer.domain.errors import CaptionaryError
from indexer.domain.nearest import did_you_mean
from indexer.domain.photo import Facts
from indexer.domain.tags import distinct
from indexer.export import spreadsheet, xmp_merge
from indexer.library.vocabulary import read_vocabulary
from indexer.media import takeout_names
from indexer.media.metadata import clean, dates, exif, iptc, name_dates, takeout, xmp
from indexer.pipeline.gates import parse_gates
from indexer.pipeline.resolve import read_schema
from indexer.providers import answer, http, jsonl, rates, redaction
from indexer.providers.google import faults
from indexer.providers.moments import moment
from indexer.providers.prices import parse_price
from indexer.providers.spec import Opening
from indexer.storage import paths
from indexer.storage.settings import read_config
from indexer.table import document, words
from search import conditions, spelling, template
from search.filters import Query, typed
from search.language import understood

LONG = 30_000
SECONDS = 3.0
"""Ten times and more of what the slowest of them takes; what is quadratic takes minutes."""
TODAY, NOW = date(2026, 11, 1), datetime(2026, 11, 1)
NAME_BYTES = 255
"""No file system of today knows a longer name."""

_HTTP = http.Http(http.Service("Somebody", "https://example.org", "a-key-of-a-test"), http.Timeouts(), lambda _: None)


def _batches(name: str) -> Callable[[str], object]:
    """The parser of result lines of a provider."""
    spec = providers.spec(name)
    environ = dict.fromkeys(spec.key_variables, "a-key-of-a-test")
    batches = spec.open(Opening(environ)).batches
    assert batches
    return lambda text: batches.decode(text.encode("utf-8", "replace"))


def _config(text: str, folder: Path) -> object:
    (folder / "captionary.toml").write_text(text, "utf-8", "replace")
    return read_config(folder, {})


def _vocabulary(text: str, folder: Path) -> object:
    (folder / "words.txt").write_text(text, "utf-8", "replace")
    return read_vocabulary(folder / "words.txt")


def _schema(text: str, folder: Path) -> object:
    (folder / "schema.json").write_text(text, "utf-8", "replace")
    return read_schema(folder / "schema.json")


def _checked(name: str) -> Callable[[str, Path], object]:
    """The check of a batch file for a provider."""

    def check(text: str, folder: Path) -> object:
        (folder / "requests.jsonl").write_text(text, "utf-8", "replace")
        return list(providers.spec(name).check_file(folder / "requests.jsonl"))[:100]

    return check


def _answered(text: str) -> object:
    return document.compose(f"/{text}", Facts(caption=text, keywords=(text,)), Answer(text, (text,), text, {}, "m"))


def _merged(text: str) -> object:
    said = xmp_merge.OwnWords(description=text, tags=(text,), keywords=(text,), caption="")
    return xmp_merge.merge(text.encode("utf-8", "replace"), said)


PARSERS: dict[str, Callable[[str], object]] = {
    "a query": lambda text: understood(Query(text), TODAY),
    "filters": lambda text: typed(Query("dog", since=text, tags=(text,), person=text, not_words=text, camera=text)),
    "a condition": lambda text: conditions.parse([text]),
    "a format": template.checked,
    "words": lambda text: (words.terms(text), words.query_terms(text), words.phrase(text), words.name_words(text)),
    "a stem": lambda text: words.stem(text[:LONG]),
    "spellings": lambda text: (spelling.spellings(text), spelling.unwanted(text), spelling.lookup(text)),
    "did you mean": lambda text: did_you_mean(text, ("dogs", "cats", "birds")),
    "dates in names": lambda text: list(name_dates.in_names(PurePath(f"/{text[:NAME_BYTES]}/{text[:NAME_BYTES]}"))),
    "names of takeout": lambda text: takeout_names.json_names(text[:NAME_BYTES].encode("utf-8", "replace")),
    "a path": lambda text: (paths.to_bytes(text), paths.to_text(text.encode("utf-8", "replace"))),
    "spellings of a path": lambda text: paths.spellings(text.encode("utf-8", "replace")),
    "a terminal": paths.for_terminal,
    "a written date": lambda text: dates.read_date(text, NOW),
    "a moment": moment,
    "EXIF": lambda text: exif.read(b"II*\0" + text.encode("utf-8", "replace")),
    "IPTC": lambda text: iptc.read(text.encode("utf-8", "replace")),
    "XMP": lambda text: xmp.read(text.encode("utf-8", "replace")),
    "Takeout": lambda text: takeout.read(text.encode("utf-8", "replace")),
    "text of metadata": clean,
    "an answer": lambda text: answer.read_answer(text, "model"),
    "an answer's field": lambda text: answer.read_answer('{"description": "x", "more": ' + text + "}", "model"),
    "one line": answer.one_line,
    "tags": lambda text: distinct([text]),
    "a document": _answered,
    "a result line": lambda text: jsonl.read_line(text.encode("utf-8", "replace")),
    "an error": lambda text: _HTTP.as_error("ask", http.Reply(500, {}, text.encode("utf-8", "replace"))),
    "an error of Google": lambda text: faults.as_error("ask", faults.read_refusal(400, {"message": text}), "key"),
    "a gone file": faults.is_file_gone,
    "retry-after": lambda text: rates.pause_asked({"retry-after": text}),
    "a rate's reset": lambda text: rates.pause_asked({"x-ratelimit-reset-x": text, "x-ratelimit-remaining-x": "0"}),
    "what is left of a rate": lambda text: rates.room_left(
        {"x-ratelimit-remaining-x": "1", "x-ratelimit-reset-x": text}, None
    ),
    "redaction": lambda text: redaction.redacted(text, ("a-key-of-a-test",)),
    "a prompt": lambda text: prompts.fill(text, "en"),
    "checks": read_checks,
    "a duration": read_duration,
    "a price": parse_price,
    "a gate": lambda text: parse_gates([text]),
    "a cell": spreadsheet.cell,
    "an XMP file to add to": _merged,
    **{f"results of {name}": _batches(name) for name in ("gemini", "openai", "anthropic", "mistral")},
}
FILES: dict[str, Callable[[str, Path], object]] = {
    "settings": _config,
    "a vocabulary": _vocabulary,
    "a schema": _schema,
    **{f"a batch file for {name}": _checked(name) for name in ("gemini", "openai", "anthropic", "mistral")},
}

_PIECES = st.sampled_from(
    [
        *" \t\n\r\"'-_.,:;/\\(){}[]<>=&#*?!+%$@~|0aAéä犬\u200d\ud800\x00",
        *("sk-", "AIza", "2020", "-01", "1h", "file ", "free_tier", "\\u0061", "tag:", '-"', "</", "<a ", " xmlns:a='"),
        *("<rdf:RDF>", "&amp;", "a b", "```", "\u0301\u0316", "{}", "\x1b[", "\\x80", ".jpg", "(1)", "1,", '"a":'),
        *('{"a":', "x=", "ss", "  x", "Jan ", "..."),
    ]
)
_TEXTS = st.builds(
    lambda start, some, end: start + "".join(some) * (LONG // max(1, len("".join(some)))) + end,
    st.sampled_from(["", "a", "{", '"', "x=", '{"description": "', "<x:xmpmeta>", "2020-01-01", "sk-", "["]),
    st.lists(_PIECES, min_size=1, max_size=3),
    st.sampled_from(["", "x", "}", '"', "\n", '"}', "]", "1"]),
)


def _in_time(parse: Callable[[str], object], text: str) -> None:
    began = time.thread_time()
    try:
        found: object = parse(text)
    except (CaptionaryError, ValueError) as fault:
        found = str(fault)
    took = time.thread_time() - began
    assert took < SECONDS, f"{took:.1f} s for {text[:40]!r} ... {text[-10:]!r}"
    assert len(repr(found)) < 60 * (len(text) + 1000)


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(text=_TEXTS)
@example(text="sk-" * LONG)
@example(text="1" * LONG)
@example(text="file " * LONG)
@example(text="free_tier" * LONG)
@example(text="x=1" + " " * LONG + "x")
@example(text="[" * LONG)
@example(text="[" * 600 + "]" * 600)
@example(text='{"a":' * 300 + "1" + "}" * 300)
@example(text="{" * LONG)
@example(text="a" + "\u0301\u0316" * LONG)
@example(text=" " * LONG + "x = 1\n[nope]")
@example(text="x = " + "9" * 5000)
@example(text="Mon, 99999999999999999999 Jan 2020 00:00:00 GMT")
@example(text="Mon, 01 Jan 2020 00:00:00 +99999999999999")
def test_foreign_text_costs_linear_time(name: str, text: str) -> None:
    """Whatever the text, within its time, and with no other error than one in words."""
    _in_time(PARSERS[name], text)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(text=_TEXTS)
@example(text="x = " + "[" * LONG)
@example(text="pilot = " + "9" * 5000)
@example(text="[" * LONG)
@example(text='{"type":"object","properties":{"description":' + '{"a":' * 400 + "1" + "}" * 402)
def test_foreign_files_cost_linear_time(name: str, text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The same of what is read from a file that a person wrote or was given."""
    _in_time(lambda told: FILES[name](told, tmp_path_factory.getbasetemp()), text)
