"""Hostile words on the command line and in settings: numbers of any size, names of any bytes, deep JSON and TOML."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from tests.attack.tally import Tally, typed

NUMBERS = (
    *(
        "0",
        "-0",
        "-1",
        "1",
        "00",
        "1e3",
        "0x10",
        "1_000",
        " 5",
        "5 ",
        "+7",
        "٣",
        "½",
        "1e308",
        "-1e308",
        "1e309",
        "1e-320",
    ),
    *("nan", "-nan", "inf", "-inf", "Infinity", "9" * 19, "9" * 30, "9" * 400, "-" + "9" * 30, str(2**31), str(2**32)),
    *(str(2**63 - 1), str(2**63), str(2**64), "1.5", ".", "1,2", "--", "", "true", "None", "1;2", "1\n2", "\udcff"),
)
NAMES = (
    *("a\nb", "a\rb", "\x1b[2Jx", "\x07", "\udcff", "a\udcffb", "x" * 5000, "../" * 40, "/", "//", ".", "..", "~", "-"),
    *(
        "'",
        '"',
        "';--",
        "%s",
        "{0}",
        "$HOME",
        "\u202egpj.exe",
        "\ufeff",
        "👩‍👩‍👧",
        "null",
        "NaN",
        "\x7f",
        "*",
        "[",
        "a" * 300,
    ),
    *("\u2028", "tag:", "in:", '"', "-", "--", "-x", "NOT", "AND OR", "(", "\\", "\\x00", "x\\", "𝕏", "İ", "ß" * 100),
)
_SEARCH_NUMBERS = ("-n", "--limit", "--offset", "--min-score", "--near", "--since", "--until", "--sort")
_SEARCH_NAMES = ("--tag", "--any-tag", "--no-tag", "--not", "--camera", "--in", "--like", "--where", "--collapse")
_SEARCH_NAMES += ("--format", "--sort", "--since", "--near", "--min-score", "--library")
_INDEX_NUMBERS = (
    "--pilot",
    "--budget",
    "--deadline",
    "--max-per-1000",
    "--price",
    "--gate",
    "--max-pixels",
    "--workers",
)
_INDEX_NAMES = (
    "--provider",
    "--model",
    "--mode",
    "--language",
    "--prompt",
    "--schema",
    "--exclude",
    "--gate",
    "--price",
)
_INDEX_NAMES += ("--files-from", "--refresh", "--library")
_COMMANDS = ("status", "failures", "report", "collect", "retry", "forget", "export", "quote", "tags", "prompts", "diff")
_COMMANDS += (
    "config",
    "completion",
    "evaluate",
    "check",
    "rebuild",
    "relocate",
    "dismiss",
    "gallery",
    "backup",
    "inbox",
)
_SETTINGS = ("pilot", "budget", "budget_total", "budget_per_day", "workers", "concurrency", "max_pixels", "shard_lines")
_SETTINGS += (
    "poll_seconds",
    "lookup_seconds",
    "most_tags",
    "language",
    "model",
    "mode",
    "media_resolution",
    "vocabulary",
)
_SETTINGS += ("one_per_burst", "keep_batches", "provider", "banned_tags", "prices", "text_model", "best", "gemini")
_VALUES = (
    "0",
    "-1",
    "1e308",
    "-1e308",
    "nan",
    "inf",
    "9" * 30,
    "1.5",
    "true",
    '""',
    '"x"',
    "[]",
    "[1]",
    '["\\u0000"]',
    "{}",
)
_VALUES += (
    "{a = 1}",
    "[" * 90 + "]" * 90,
    "1979-05-27",
    '"\\u001b[2J"',
    "'''\n'''",
    "0x7fffffffffffffff",
    "{x = {x = {x = 1}}}",
)


def options(library: Path, photos: Path, rounds: int, seed: int) -> Tally:
    """Type so many hostile command lines; each is refused in a line or does what it says."""
    tally, dice = Tally("options"), random.Random(seed)
    for command, words in _lines(library, photos, dice, rounds):
        if any("\0" in word for word in words):
            continue
        done = typed(command, *words)
        allowed = (0, 1, 2) if command == "search" else (0, 1, 2, 3, 4, 5)
        tally.judge(f"{command} {words!r}"[:400], done.fault(allowed))
    return tally


def settings(home: Path, photos: Path, rounds: int, seed: int) -> Tally:
    """Put hostile values into captionary.toml and the environment; a run is refused in a line or right."""
    tally, dice = Tally("settings"), random.Random(seed)
    for _ in range(rounds):
        name, value = dice.choice(_SETTINGS), dice.choice(_VALUES)
        environ = {}
        if dice.random() < 0.5:
            (home / "captionary.toml").write_text(f"{name} = {value}\n", "utf-8", errors="replace")
        else:
            (home / "captionary.toml").unlink(missing_ok=True)
            environ[f"CAPTIONARY_{name.upper()}"] = dice.choice((*NUMBERS, *NAMES))
        for words in (("status",), (photos, "--dry-run", "--provider", "local", "--workers", "0"), ("doctor",)):
            done = typed(
                "index", "--library", home, *words, environ={k: v for k, v in environ.items() if "\0" not in v}
            )
            tally.judge(f"{name} = {value} {environ} {words[0]}"[:300], done.fault((0, 1, 2)))
    (home / "captionary.toml").unlink(missing_ok=True)
    return tally


def _lines(library: Path, photos: Path, dice: random.Random, rounds: int) -> Iterator[tuple[str, list[str]]]:
    here = ["--library", str(library)]
    for _ in range(rounds):
        number, name = dice.choice(NUMBERS), dice.choice(NAMES)
        match dice.randrange(6):
            case 0:
                yield "search", [*here, "dogs", dice.choice(_SEARCH_NUMBERS), number]
            case 1:
                yield "search", [*here, "dogs", dice.choice(_SEARCH_NAMES), name]
            case 2:
                yield "search", [*here, name, dice.choice(NAMES)]
            case 3:
                asked = [str(photos), "--dry-run", "--provider", "local", "--workers", "0"]
                yield "index", [*here, *asked, dice.choice(_INDEX_NUMBERS), number]
            case 4:
                asked = [str(photos), "--dry-run", "--provider", "local", "--workers", "0"]
                yield "index", [*here, *asked, dice.choice(_INDEX_NAMES), name]
            case _:
                command = dice.choice([each for each in _COMMANDS if each not in ("gallery", "rebuild")])
                yield "index", [*here, command, dice.choice((name, number))]
