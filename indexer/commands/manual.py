"""The manual pages and the command table of the README, made from the texts of `--help`: `make docs`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

BEGIN, END = "<!-- commands: made by make docs -->", "<!-- end of commands -->"
_WIDE = 200


def commands(program: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all below it, each with the words that call it."""
    yield program, command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from commands(f"{program} {name}", below)


def table(*programs: tuple[str, click.Command]) -> str:
    """Return the table of commands, in Markdown."""
    rows = [
        f"| `{_usage(name, command)}` | {command.get_short_help_str(_WIDE).removesuffix('.')} |"
        for program, root in programs
        for name, command in commands(program, root)
        if not isinstance(command, click.Group)
    ]
    return "\n".join(["| command | what it does |", "|---|---|", *rows])


def with_table(text: str, made: str) -> str:
    """Return the README `text` with the table between its marks replaced by `made`."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{made}\n{END}{rest.split(END)[1]}"


def man_pages(*programs: tuple[str, click.Command]) -> Iterator[tuple[str, str]]:
    """Yield the file name and the text of each manual page."""
    for program, root in programs:
        for name, command in commands(program, root):
            yield f"{name.replace(' ', '-')}.1", _page(name, command)


def _usage(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    words = [word for word in command.collect_usage_pieces(context) if word != "[OPTIONS]"]
    return " ".join([name, *words]).replace("index run", "index").replace("[PATHS]...", "PATH...")


def _page(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    title = name.replace(" ", "-")
    lines = [
        f'.TH "{title.upper()}" 1 "" "Captionary"',
        ".SH NAME",
        f"{_roff(title)} \\- {_roff(command.get_short_help_str(_WIDE).removesuffix('.'))}",
        ".SH SYNOPSIS",
        rf"\fB{_roff(name)}\fR {_roff(' '.join(command.collect_usage_pieces(context)))}",
        ".SH DESCRIPTION",
        *_description(command.help or ""),
        ".SH OPTIONS",
    ]
    for param in command.get_params(context):
        if (
            isinstance(param, click.Option)
            and "--help" not in param.opts
            and (record := param.get_help_record(context))
        ):
            lines += [".TP", rf"\fB{_roff(record[0])}\fR", _roff(record[1])]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for below, one in command.commands.items():
            lines += [".TP", rf"\fB{_roff(below)}\fR", _roff(one.get_short_help_str(_WIDE))]
    lines += [".SH NOTES", _roff(command.epilog)] if command.epilog else []
    return "\n".join(lines) + "\n"


def _description(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        if "\b" in paragraph:
            body = paragraph.replace("\b", "").strip("\n").splitlines()
            yield from (".PP", ".nf", *map(_roff, body), ".fi")
        else:
            yield from (".PP", _roff(" ".join(paragraph.split())))


def _roff(text: str) -> str:
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


def main(root: Path = Path()) -> None:
    """Write the manual pages to docs/man and the table into the README, both below `root`."""
    from indexer.commands.index import cli
    from search.cli import cli as search

    programs = (("index", cli), ("search", search))
    folder = root / "docs" / "man"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.1"):
        old.unlink()
    for name, text in man_pages(*programs):
        (folder / name).write_text(text)
    readme = root / "README.md"
    readme.write_text(with_table(readme.read_text("utf-8"), table(*programs)), "utf-8")


if __name__ == "__main__":
    main()
