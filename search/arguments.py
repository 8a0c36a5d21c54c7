"""The words of the command line, as the search takes them."""

from __future__ import annotations

import re
from typing import Any

import click

from indexer.domain.errors import UsageError

_NOT_WANTED = re.compile(r'-(?:[^\W\d_][^\W_]|").*', re.DOTALL)
_FILTER = re.compile(r"(-?(?:tag|person|camera|in):)([^\"]*\s[^\"]*)", re.IGNORECASE)
_NUMBERED = re.compile(r"-n\d+")


class SearchCommand(click.Command):
    """A command among whose words may be such as no hit holds: `search red -car`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take -word for a word, not for a row of short options."""
        end = args.index("--") if "--" in args else len(args)
        options, words = self._parted(ctx, args[:end])
        return super().parse_args(ctx, [*options, "--", *map(_whole, words), *map(_whole, args[end + 1 :])])

    def _parted(self, ctx: click.Context, args: list[str]) -> tuple[list[str], list[str]]:
        params = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        valued = {name for param in params if not (param.is_flag or param.count) for name in param.opts}
        flags = {name[1] for param in params if param.is_flag for name in param.opts if name[1] != "-"}
        known = {name for param in params for name in param.opts}
        options: list[str] = []
        words: list[str] = []
        value = False
        for arg in args:
            unwanted = _NOT_WANTED.fullmatch(arg) and not _NUMBERED.fullmatch(arg) and not set(arg[1:]) <= flags
            if value or (arg.startswith("-") and len(arg) > 1 and not unwanted):
                options.append(arg)
                value = not value and arg in valued
            elif f"-{arg}" in known:
                raise click.NoSuchOption(arg, ctx=ctx)
            else:
                words.append(arg)
        return options, words


def _whole(word: str) -> str:
    """A word of the command line that the shell kept together, kept together: in:"~/My photos", -"red car"."""
    if found := _FILTER.fullmatch(word):
        return f'{found[1]}"{found[2]}"'
    if word.startswith("-") and any(map(str.isspace, word)) and '"' not in word:
        return f'-"{word[1:]}"'
    return word


def keywords(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options as `Query` takes them; raises `UsageError`."""
    return {
        **options,
        "not_words": " ".join(options["not_words"]),
        "min_score": _score(options["min_score"]),
        "near": _circle(options["near"]) if options["near"] is not None else None,
    }


def _score(text: str) -> float | str:
    if text in ("auto", "weak"):
        return text
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            f"--min-score {text}: neither auto, weak nor a number", hint="for example --min-score 0.4"
        ) from None


def _circle(text: str) -> tuple[float, ...]:
    try:
        latitude, longitude, kilometres = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--near {text}: not LAT,LON,KM", hint="for example --near 48.14,11.58,25") from None
    return latitude, longitude, kilometres
