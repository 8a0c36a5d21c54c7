"""The `search` command: parse, one call, print. It loads neither torch nor an SDK, and for --help nothing at all."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer.console.ending import LIBRARY, Ending
from indexer.domain.errors import UsageError

if TYPE_CHECKING:
    from search.hits import Hit
    from search.query import Index

_NO_HITS = 1
_FORMS = ("json", "jsonl", "csv", "print0", "paths")
_FILTERS = ("tags", "any_tags", "no_tags", "not_words", "since", "until", "camera", "within", "near", "where", "like")
_UNDESCRIBED = (
    ". These photos are known by captions, dates, names and colours; with a key, a model says what is in them: "
    "index --provider gemini FOLDER"
)


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="Exit codes: 0 hits, 1 none, 2 error or usage.",
)
@click.argument("words", nargs=-1, metavar="[QUERY]...")
@LIBRARY
@click.option("-n", "--limit", default=10, show_default=True, help="How many hits; 0 means all.")
@click.option("--offset", default=0, help="Skip so many hits.")
@click.option(
    "--sort", type=click.Choice(["relevance", "date"]), default="relevance", help="Best or newest first. [relevance]"
)
@click.option(
    "--min-score",
    default="auto",
    metavar="auto|FLOAT",
    help="End the list below this score; auto: where relevance falls off; 0: never.",
)
@click.option("--tag", "tags", multiple=True, metavar="T", help="Only photos with this tag (repeat: with all).")
@click.option("--any-tag", "any_tags", multiple=True, metavar="T", help="Only photos with any of these tags.")
@click.option("--no-tag", "no_tags", multiple=True, metavar="T", help="No photos with this tag.")
@click.option("--not", "not_words", multiple=True, metavar="WORDS", help="No photos with any of these words.")
@click.option("--since", metavar="DATE", help="Taken then or later: YYYY, YYYY-MM or YYYY-MM-DD.")
@click.option("--until", metavar="DATE", help="Taken then or earlier; the day, month or year counts in.")
@click.option("--camera", metavar="TEXT", help="Only photos of a camera with TEXT in its name.")
@click.option("--in", "within", metavar="PATH", help="Only photos below PATH.")
@click.option("--near", metavar="LAT,LON,KM", help="Only photos taken so near.")
@click.option(
    "--where",
    multiple=True,
    metavar="COND",
    help="Only photos whose answer, by your own --schema, has it so: people>=2, document=receipt, shop~deli.",
)
@click.option("--like", metavar="IMAGE", help="Photos like this one, which must be indexed.")
@click.option(
    "--collapse",
    type=click.Choice(["copies", "bursts", "none"]),
    default="copies",
    help="One hit a picture, a burst, or a file. [copies]",
)
@click.option("--explain", is_flag=True, help="Say why each hit matched.")
@click.option("--json", is_flag=True, help="One JSON array.")
@click.option("--jsonl", is_flag=True, help="One JSON object a line.")
@click.option("--csv", is_flag=True, help="CSV with a header.")
@click.option("-0", "--print0", is_flag=True, help="Paths, each ended by NUL.")
@click.option("-l", "--paths", is_flag=True, help="Bare paths, as in a pipe.")
@click.option("--html", "sheet", type=click.Path(path_type=Path, dir_okay=False), help="Also write a contact sheet.")
@click.version_option(None, "-V", "--version", package_name="captionary", prog_name="captionary")
def cli(words: tuple[str, ...], **options: Any) -> int:
    """Find photos by what can be seen in them. Words need no quotes; nothing leaves this machine.

    \b
    Examples:
      search two dogs at a window
      search beach --since 2015 --until 2016-08 --tag sunset
      search birthday cake --in ~/Photos/2019 -0 | xargs -0 open
    """
    form = _form(options)
    index = _open(options.pop("library"))
    sheet, explain = options.pop("sheet"), options.pop("explain")
    query = " ".join(words)
    hits = index.search(query, **_arguments(options))
    _notes(index, words, hits, filtered=any(options[name] for name in _FILTERS) or options["min_score"] != "auto")
    sys.stdout.buffer.writelines(_lines(hits, form, first=options["offset"] + 1, explain=explain))
    sys.stdout.buffer.flush()
    if sheet is not None:
        _write_sheet(sheet, query, hits)
    return 0 if hits else _NO_HITS


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and leave with its exit code; every failure is one line with what to do next."""
    Ending("search", failure=2, interrupted="").run(cli, arguments)


def _open(library: Path | None) -> Index:
    from search.query import Index

    given = library or os.environ.get("CAPTIONARY_LIBRARY")
    if given:
        return Index.open(given)
    from indexer.storage.layout import default_folder

    return Index.open(default_folder())


def _form(options: dict[str, Any]) -> str:
    asked = [form for form in _FORMS if options.pop(form)]
    if len(asked) > 1:
        raise UsageError(f"--{asked[0]} and --{asked[1]} exclude each other", hint="choose one form of output")
    return asked[0] if asked else ("list" if sys.stdout.isatty() else "paths")


def _arguments(options: dict[str, Any]) -> dict[str, Any]:
    """The options as `Index.search` takes them."""
    return {
        **options,
        "not_words": " ".join(options["not_words"]),
        "min_score": _score(options["min_score"]),
        "near": _circle(options["near"]) if options["near"] is not None else None,
    }


def _score(text: str) -> float | str:
    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--min-score {text}: neither auto nor a number", hint="for example --min-score 0.4") from None


def _circle(text: str) -> tuple[float, ...]:
    try:
        latitude, longitude, kilometres = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--near {text}: not LAT,LON,KM", hint="for example --near 48.14,11.58,25") from None
    return latitude, longitude, kilometres


def _notes(index: Index, words: tuple[str, ...], hits: list[Hit], *, filtered: bool) -> None:
    """Tell on stderr what explains the hits, or their lack."""
    coverage = index.coverage()
    if coverage.described and coverage.described < coverage.rows:
        _say(
            f"{coverage.described:,} of {coverage.rows:,} photos are described by a model so far; the others are found "
            "by their captions, dates, names and colours"
        )
    if len(words) == 1 and Path(words[0]).is_file():
        _say(f"for photos like that file, say: search --like {words[0]}")
    if not hits:
        undescribed = words and not filtered and coverage.rows and not coverage.described
        _say("no good match" + (_UNDESCRIBED if undescribed else ""))


def _lines(hits: list[Hit], form: str, *, first: int, explain: bool) -> Iterable[bytes]:
    from search import output

    if form == "json":
        return [output.as_json(hits)]
    if form == "jsonl":
        return output.as_jsonl(hits)
    if form == "csv":
        return output.as_csv(hits)
    if form == "list":
        return output.as_list(hits, first=first, width=shutil.get_terminal_size().columns, explain=explain)
    raw = not sys.stdout.isatty()
    return output.as_paths(hits, end=b"\0" if form == "print0" else b"\n", raw=raw)


def _write_sheet(target: Path, query: str, hits: list[Hit]) -> None:
    from indexer.export.contact_sheet import Card, write_sheet
    from search.output import why

    def facts(hit: Hit) -> str:
        return " · ".join(part for part in ((hit.taken_at or "")[:10], hit.camera, why(hit)) if part)

    cards = [Card(hit.path, hit.description or "", hit.tags, facts(hit)) for hit in hits]
    try:
        write_sheet(target, f"search {query}".strip(), cards)
    except OSError as error:
        raise UsageError(
            f"{target}: {error.strerror or error}", hint="--html takes a file that can be written"
        ) from error
    _say(f"contact sheet: {target}")


def _say(text: str) -> None:
    from indexer.storage.paths import for_terminal

    print(for_terminal(" ".join(f"search: {text}".split())), file=sys.stderr)
