"""Libraries whose files were damaged: bits, cuts, zeros, other files, missing ones; every command after each."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.attack.tally import Tally, typed

_LOOKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("search", ("dogs",)),
    ("search", ("--tag", "dog", "--json")),
    ("search", ("--since", "2001", "--sort", "date", "--collapse", "bursts")),
    ("index", ("status", "--json")),
    ("index", ("failures",)),
    ("index", ("report",)),
    ("index", ("tags", "list")),
    ("index", ("prompts", "list")),
    ("index", ("collect",)),
    ("index", ("rebuild",)),
)


def damage(home: Path, work: Path, rounds: int, seed: int) -> Tally:
    """Damage copies of the library `home` so many times; each command ends in a line, and doctor finds what broke."""
    tally, dice = Tally("damage"), random.Random(seed)
    for number in range(rounds):
        library = work / f"damaged-{number}"
        shutil.copytree(home, library, symlinks=True)
        what = _hurt(library, dice)
        failed = ""
        for command, words in _LOOKS:
            done = typed(command, "--library", library, *words)
            fault = done.fault((0, 1, 2) if command == "search" else (0, 1, 3, 4))
            tally.judge(f"{what}, then {command} {' '.join(words)}", fault)
            if command == "search" and done.code == 2 and not failed:
                failed = words[0]
        doctor = typed("index", "--library", library, "doctor", "--deep")
        tally.judge(f"{what}, then doctor", doctor.fault((0, 1)))
        shutil.rmtree(library)
    return tally


def _hurt(library: Path, dice: random.Random) -> str:
    files = sorted(path for path in library.rglob("*") if path.is_file() and path.stat().st_size)
    by_room = dice.choice(sorted({path.relative_to(library).parts[0] for path in files}))
    path = dice.choice([each for each in files if each.relative_to(library).parts[0] == by_room])
    way = dice.choice(_WAYS)
    way(path, dice)
    return f"{way.__name__.strip('_')} {path.relative_to(library)}"


def _flip(path: Path, dice: random.Random) -> None:
    raw = bytearray(path.read_bytes())
    for _ in range(dice.choice((1, 1, 8, 64))):
        raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
    path.write_bytes(raw)


def _cut(path: Path, dice: random.Random) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[: dice.randrange(len(raw))])


def _zero(path: Path, dice: random.Random) -> None:
    raw = bytearray(path.read_bytes())
    start = dice.randrange(len(raw))
    raw[start : start + 512] = bytes(len(raw[start : start + 512]))
    path.write_bytes(raw)


def _empty(path: Path, _dice: random.Random) -> None:
    path.write_bytes(b"")


def _remove(path: Path, _dice: random.Random) -> None:
    path.unlink()


def _replace(path: Path, dice: random.Random) -> None:
    path.write_bytes(dice.randbytes(min(path.stat().st_size, 1 << 16)))


def _folder(path: Path, _dice: random.Random) -> None:
    path.unlink()
    path.mkdir()


_WAYS: tuple[Callable[[Path, random.Random], None], ...] = (
    _flip,
    _flip,
    _cut,
    _zero,
    _empty,
    _remove,
    _replace,
    _folder,
)
