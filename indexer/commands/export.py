"""The command that hands the library to other programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from indexer.commands.invocation import Call, everywhere

if TYPE_CHECKING:
    from indexer.export.sidecars import Kept

_SOME_FAILED = 4


@click.command()
@click.option(
    "--format",
    "kind",
    type=click.Choice(["jsonl", "csv", "parquet", "xmp", "vllm"]),
    required=True,
    help="jsonl and parquet for programs, csv for spreadsheets, xmp for photo software, vllm for vllm run-batch.",
)
@click.option("--to", type=click.Path(path_type=bytes), required=True, help="A new file; for xmp a folder.")
@click.option("--in", "within", type=click.Path(path_type=bytes), metavar="PATH", help="Only photos below this path.")
@click.option(
    "--sidecar-names",
    "names",
    type=click.Choice(["lightroom", "darktable"]),
    help="Name sidecars of RAW files NAME.xmp (lightroom) or NAME.EXT.xmp (darktable).",
)
@click.option("--model", metavar="NAME", help="With vllm: the model that is to describe the photos.")
@click.option("--bom", is_flag=True, help="Begin the CSV with a byte order mark, for spreadsheets that need one.")
@everywhere
@click.pass_context
def export(context: click.Context, /, kind: str, to: bytes, within: bytes | None, **options: Any) -> int:
    """Write the library for other programs.

    jsonl, csv and parquet have a row for each photo that is in place. A file
    that exists is never replaced.

    In csv, lists are JSON, so that they can be split again.

    xmp writes sidecars, NAME.EXT.xmp. When the folder --to holds photos of the
    library, sidecars land beside them; any other folder gets a mirror of the
    tree. Whatever a person wrote stays: a description is added only where there
    is none, tags are added to the keywords. The next export replaces only what
    we wrote. Exit 4 when some sidecars could not be written; they are named.

    vllm writes a request for each photo that --model has not described. Run
    vllm run-batch -i requests.jsonl -o answers.jsonl --model NAME, then
    index collect --from answers.jsonl.

    \b
    Examples:
      index export --format csv --to photos.csv
      index export --format xmp --to ~/Photos
      index export --format xmp --to ~/sidecars --in ~/Photos/2019
    """
    from indexer.console.words import count_photos
    from indexer.domain.errors import UsageError
    from indexer.storage.paths import for_terminal, resolve_root, to_text

    names, bom, model = options.pop("names"), options.pop("bom"), options.pop("model")
    call = Call(context, options)
    if to == b"-":
        raise UsageError("an export needs a file and cannot go to stdout", hint="for example: --to photos.csv")
    if (kind == "vllm") != bool(model):
        raise UsageError("--format vllm and --model belong together", hint="for example: --format vllm --model NAME")
    if kind == "vllm":
        written = call.library().export_requests(to, model, None if within is None else [within])
        call.screen.close()
        call.screen.note(f"requests for photos: {written:,}")
        return 0
    done = call.library().export(kind, to, None if within is None else [within], sidecar_names=names or "", bom=bom)
    call.screen.close()
    if call.as_json:
        told = {"photos": done.photos, "written": done.written, "kept": [asdict(one) for one in done.kept]}
        click.echo(json.dumps(told, ensure_ascii=True))
    elif not call.screen.quiet:
        call.screen.lines(_kept_lines(done.kept))
        sidecars = f", sidecars written: {done.written:,}" if kind == "xmp" else ""
        click.echo(for_terminal(f"exported {count_photos(done.photos)} to {to_text(resolve_root(to))}{sidecars}"))
    return _SOME_FAILED if done.failed else 0


def _kept_lines(kept: Sequence[Kept]) -> list[str]:
    """One line for each reason, with the first picture it holds for."""
    lines = []
    for why, group in groupby(sorted(kept, key=lambda one: one.why), key=lambda one: one.why):
        first, *others = [one.path for one in group]
        lines.append(f"{first}{f' (and {len(others):,} more)' if others else ''}: {why}")
    return lines
