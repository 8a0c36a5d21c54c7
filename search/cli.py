"""The `search` command: parse, one call, print. It loads neither torch nor an SDK, and for --help nothing at all."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer.console.ending import LIBRARY, Ending
from indexer.domain.errors import UsageError
from search.arguments import SearchCommand, keywords

if TYPE_CHECKING:
    from search.filters import Query
    from search.hits import Answered, Hit
    from search.query import Index

_NO_HITS = 1
_WEAKER = 3
_FORMS = ("json", "jsonl", "csv", "print0", "paths")
_FLAGS = {"tags": "tag", "any_tags": "any-tag", "no_tags": "no-tag", "not_words": "not", "within": "in"}
_FILTERS = (
    *("tags", "any_tags", "no_tags", "not_words", "since", "until", "camera", "person", "rating"),
    *("within", "near", "where", "like"),
)
_MULTILINGUAL = "for other languages than English, set text_model in captionary.toml to a multilingual model"
_UNDESCRIBED = (
    "these photos are known by captions, dates, names and colours; with a key, a model describes what is in them: "
    "index --provider gemini FOLDER"
)


@dataclass(frozen=True, slots=True)
class Printing:
    """How hits are printed: in which form, with their reasons, their pictures, or by a template of the user's."""

    form: str
    explain: bool = False
    preview: bool = False
    template: str | None = None


@click.command(
    cls=SearchCommand,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="Exit codes: 0 hits, 1 none, 2 error or usage.",
)
@click.argument("words", nargs=-1, metavar="[QUERY]...")
@LIBRARY
@click.option("-n", "--limit", default=10, show_default=True, metavar="N", help="How many hits; 0 means all.")
@click.option("--offset", default=0, metavar="N", help="Skip the first N hits.")
@click.option(
    "--sort",
    default="relevance",
    metavar="relevance|date|FIELD",
    help="Best first, newest first, or by a field of your own --schema. [relevance]",
)
@click.option(
    "--min-score",
    default="auto",
    metavar="auto|weak|FLOAT",
    help="End the list below this score; auto: where relevance drops; weak: with the nearest ones below; 0: never.",
)
@click.option("--tag", "tags", multiple=True, metavar="T", help="Only photos with this tag (repeat: with all).")
@click.option("--any-tag", "any_tags", multiple=True, metavar="T", help="Only photos with any of these tags.")
@click.option("--no-tag", "no_tags", multiple=True, metavar="T", help="No photos with this tag.")
@click.option("--not", "not_words", multiple=True, metavar="WORDS", help="No photos with any of these words.")
@click.option("--since", metavar="DATE", help="Taken then or later: YYYY, YYYY-MM or YYYY-MM-DD.")
@click.option("--until", metavar="DATE", help="Taken then or earlier; the day, month or year counts in.")
@click.option("--camera", metavar="TEXT", help="Only photos of a camera with TEXT in its name.")
@click.option("--person", metavar="NAME", help="Only photos whose files name this person.")
@click.option("--rating", type=click.IntRange(1, 5), metavar="N", help="Only photos rated N stars or more.")
@click.option("--in", "within", metavar="PATH", help="Only photos below PATH.")
@click.option("--near", metavar="LAT,LON,KM", help="Only photos taken within KM kilometres.")
@click.option(
    "--where",
    multiple=True,
    metavar="COND",
    help="A condition on fields of your own --schema: people>=2, document=receipt, shop~deli.",
)
@click.option("--like", metavar="IMAGE", help="Photos like this one, which must be indexed if no image_model is set.")
@click.option(
    "--collapse",
    type=click.Choice(["copies", "bursts", "none"]),
    default="copies",
    help="One hit per picture, burst or file. [copies]",
)
@click.option("--explain", is_flag=True, help="Say more about why each hit matched.")
@click.option("--json", is_flag=True, help="Print one JSON array.")
@click.option("--jsonl", is_flag=True, help="Print one JSON object per line.")
@click.option("--csv", is_flag=True, help="Print CSV with a header.")
@click.option("-0", "--print0", is_flag=True, help="Print paths, each followed by a NUL byte.")
@click.option("-l", "--paths", is_flag=True, help="Print bare paths, as in a pipe.")
@click.option(
    "--html",
    "sheet",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write a page with pictures.",
)
@click.option("--format", "template", metavar="TEXT", help="Print TEXT for each hit: '{score} {path}'.")
@click.option("--preview", is_flag=True, help="Draw the pictures on the terminal.")
@click.option("--open", "opens", is_flag=True, help="Open the hits in the system's viewer.")
@click.version_option(None, "-V", "--version", package_name="captionary", prog_name="captionary")
def cli(words: tuple[str, ...], **options: Any) -> int:
    """Find photos by what can be seen in them. Words need no quotes; nothing leaves this machine.

    \b
    Examples:
      search two dogs at a window
      search beach --since 2015 --until 2016-08 --tag sunset
      search birthday cake -n 3 --open
      search '"red car"' -night tag:holiday
      search red car --in ~/Photos/2019 -0 | xargs -0 ls -l
    """
    shown = Printing(
        form=_form(options),
        explain=options.pop("explain"),
        preview=options.pop("preview"),
        template=options.pop("template"),
    )
    if shown.template is not None:
        _check_template(shown)
    index = _open(options.pop("library"))
    sheet, opens = options.pop("sheet"), options.pop("opens")
    query = _query(words, options)
    answered = _answered(index, query, shown)
    hits = answered.hits
    _notes(index, words, answered, query)
    sys.stdout.buffer.writelines(_lines(hits, shown, first=options["offset"] + 1))
    sys.stdout.buffer.flush()
    if answered.total is not None and options["offset"] + len(hits) < answered.total:
        _say(f"{len(hits):,} of {'at least ' if answered.more else ''}{answered.total:,}, all: -n 0")
    if sheet is not None:
        _write_sheet(sheet, _title(words, options), hits)
    if opens:
        _view(hits)
    return 0 if answered.good else _NO_HITS


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


def _check_template(shown: Printing) -> None:
    from search.template import checked

    if shown.form not in ("list", "paths"):
        raise UsageError(f"--format and --{shown.form} exclude each other", hint="choose one form of output")
    checked(shown.template or "")


def _query(words: Sequence[str], options: dict[str, Any]) -> Query:
    from search.filters import Query

    return Query(text=" ".join(words), **keywords(options))


def _answered(index: Index, query: Query, shown: Printing) -> Answered:
    """The answer; on a terminal with the number of all hits, and with the nearest photos where none is good enough."""
    listed = shown.form == "list" and shown.template is None
    answered = index.answer(query, counted=listed, advised=True)
    if answered.hits or not listed or query.min_score != "auto" or not query.text.strip():
        return answered
    weaker = index.answer(replace(query, min_score="weak", limit=_WEAKER))
    return replace(answered, hits=weaker.hits)


def _notes(index: Index, words: Sequence[str], answered: Answered, query: Query) -> None:
    """Tell on stderr what explains the hits, or their lack."""
    coverage = index.coverage()
    if coverage.described < coverage.rows and index.expects_more():
        _say(f"{coverage.described:,} of {coverage.rows:,} photos are described so far; the others are on their way")
    if len(words) == 1 and Path(words[0]).is_file():
        _say("this is a file", f"for photos like it: search --like {words[0]}")
    if answered.unread:
        _say("searched by words only: the text model cannot read this query", _MULTILINGUAL)
    for word, meant in answered.meant.items():
        instead = f"; showing photos of {meant}" if answered.corrected else ""
        _say(f"no photo has the word {word}: did you mean {meant}?{instead}")
    if answered.good:
        return
    from datetime import date

    from search.language import understood
    from search.suggest import suggestions

    asked = understood(query, date.today())
    filtered = any(getattr(asked, name) for name in _FILTERS) or query.min_score != "auto"
    undescribed = words and not filtered and coverage.rows and not coverage.described
    _say("no good match", _UNDESCRIBED if undescribed else "")
    if filtered:
        for message, hint in suggestions(index, asked):
            _say(message, hint)


def _lines(hits: list[Hit], shown: Printing, *, first: int) -> Iterable[bytes]:
    from search import output

    raw = not sys.stdout.isatty()
    if shown.template is not None:
        from search.template import as_format

        return as_format(hits, shown.template, raw=raw)
    if shown.form == "json":
        return [output.as_json(hits)]
    if shown.form == "jsonl":
        return output.as_jsonl(hits)
    if shown.form == "csv":
        return output.as_csv(hits)
    if shown.form == "list" or shown.preview:
        return _listed(hits, shown, first)
    return output.as_paths(hits, end=b"\0" if shown.form == "print0" else b"\n", raw=raw)


def _listed(hits: list[Hit], shown: Printing, first: int) -> Iterable[bytes]:
    """The list for people, each picture above its lines where they are to be drawn."""
    from search.listing import Look, as_list

    look = Look.of(os.environ, shutil.get_terminal_size().columns)
    weaker = next((number for number, hit in enumerate(hits, first) if hit.weak), None)
    for number, hit in enumerate(hits, first):
        if number == weaker:
            yield look.styled("weaker matches:", "1").encode() + b"\n"
        if shown.preview:
            from search.preview import draw, way

            yield draw(hit.path, way(os.environ), look.columns)
        yield from as_list([hit], look, first=number, explain=shown.explain)


def _title(words: Sequence[str], options: dict[str, Any]) -> str:
    """The search in words, filters included."""
    told = []
    for name in _FILTERS:
        values = options[name]
        for value in values if isinstance(values, tuple) else [values]:
            if value is not None:
                told.append(f"--{_FLAGS.get(name, name.replace('_', '-'))} {value}")
    return " ".join(["search", *words, *told])


def _write_sheet(target: Path, title: str, hits: list[Hit]) -> None:
    from indexer.export.contact_sheet import Card, write_sheet
    from search.listing import why

    def facts(hit: Hit) -> str:
        return " · ".join(part for part in ((hit.taken_at or "")[:10], hit.camera, why(hit)) if part)

    def cards() -> Iterator[Card]:
        for number, hit in enumerate(hits, 1):
            if sys.stderr.isatty():
                print(f"\rpictures: {number:,} of {len(hits):,}", end="\r", file=sys.stderr, flush=True)
            yield Card(hit.path, hit.description or "", hit.tags, facts(hit), hit.also_at)
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    try:
        write_sheet(target, title, cards())
    except OSError as error:
        raise UsageError(
            f"{target}: {error.strerror or error}", hint="--html takes a file that can be written"
        ) from error
    _say(f"page with pictures: {target}")


def _view(hits: list[Hit]) -> None:
    from indexer.storage.paths import to_bytes
    from indexer.storage.places import file_of
    from search.viewer import show

    for hit in hits:
        try:
            show(file_of(to_bytes(hit.path)))
        except OSError as fault:
            _say(f"{hit.path} cannot be fetched: {fault.strerror}")


def _say(text: str, hint: str = "") -> None:
    from indexer.console.cells import laid_out
    from indexer.storage.paths import for_terminal

    for line in (f"search: {text}", f"hint: {hint}" if hint else ""):
        if line:
            print(laid_out(for_terminal(" ".join(line.split())), sys.stderr), file=sys.stderr)
