"""Symbolic links, hard links and circles, planted where the product reads and writes: nothing behind them changes."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.attack.tally import Tally, typed

_SECRET = b"what nobody here may read, and nobody may change\n"
_COMMANDS: tuple[tuple[str, ...], ...] = (
    ("search", "dogs"),
    ("index", "status"),
    ("index", "PHOTOS", "--provider", "local", "--workers", "0"),
    ("index", "export", "--format", "csv", "--to", "OUT/out.csv"),
    ("index", "export", "--format", "html", "--to", "OUT/out.html"),
    ("index", "export", "--format", "xmp", "--to", "OUT/xmp"),
    ("index", "backup", "OUT/backup.sqlite3"),
    ("index", "rebuild"),
    ("index", "doctor"),
    ("index", "forget", "PHOTOS", "--confirm"),
)


def links(home: Path, photos: Path, work: Path, rounds: int, seed: int) -> Tally:
    """Plant a link so many times; each command ends in a line, and the victim stays as it was, alone."""
    tally, dice = Tally("links"), random.Random(seed)
    for number in range(rounds):
        place = work / f"linked-{number}"
        library = shutil.copytree(home, place / "library", symlinks=True)
        pictures = shutil.copytree(photos, place / "photos")
        (place / "out").mkdir()
        victim = place / "victim"
        victim.mkdir()
        (victim / "secret").write_bytes(_SECRET)
        what = dice.choice(_PLANTS)(library, pictures, victim, dice)
        for command, *words in _COMMANDS:
            told = [word.replace("PHOTOS", str(pictures)).replace("OUT", str(place / "out")) for word in words]
            done = typed(command, "--library", library, *told)
            fault = done.fault((0, 1, 2, 4))
            fault = fault or ("the secret is told" if _SECRET.decode().strip() in done.out + done.err else "")
            tally.judge(f"{what}, then {command} {words[0]}", fault or _hurt(victim))
        shutil.rmtree(place)
    return tally


def _hurt(victim: Path) -> str:
    """What became of the folder that only links lead to."""
    names = sorted(path.name for path in victim.rglob("*"))
    if names != ["secret"]:
        return f"in the folder behind the link there are {names}"
    return "" if (victim / "secret").read_bytes() == _SECRET else "the file behind the link was written"


def _a_file_of_the_library(library: Path, _pictures: Path, victim: Path, dice: random.Random) -> str:
    name = dice.choice((".writer", "captionary.toml", "encoder/encoder.json", "batches/renditions.sqlite3", "prompt"))
    path = library / name
    path.unlink(missing_ok=True)
    if dice.random() < 0.5:
        path.symlink_to(victim / "secret")
        return f"{name} is a link"
    path.symlink_to(victim / "fresh")
    return f"{name} is a link to nothing"


def _a_hard_link(library: Path, _pictures: Path, victim: Path, dice: random.Random) -> str:
    name = dice.choice((".writer", "encoder/encoder.json", "batches/renditions.sqlite3"))
    (library / name).unlink()
    os.link(victim / "secret", library / name)
    return f"{name} is a hard link"


def _a_folder_of_the_library(library: Path, _pictures: Path, victim: Path, dice: random.Random) -> str:
    name = dice.choice(("batches", "encoder"))
    shutil.rmtree(library / name)
    (library / name).symlink_to(victim)
    return f"{name} is a link to a folder"


def _a_circle(library: Path, pictures: Path, _victim: Path, dice: random.Random) -> str:
    place = dice.choice((library / "batches", library / "lancedb", library / "encoder", pictures))
    (place / "round").symlink_to(place)
    (place / "self").symlink_to(place / "self")
    return f"a circle in {place.name}"


def _a_photo(_library: Path, pictures: Path, victim: Path, dice: random.Random) -> str:
    target = dice.choice((victim / "secret", victim, Path("/dev/zero"), Path("/dev/tty"), pictures / "nothing"))
    (pictures / "zz.jpg").symlink_to(target)
    (pictures / "zz").symlink_to(target)
    return f"a photo is a link to {target.name}"


def _a_sidecar(_library: Path, pictures: Path, victim: Path, dice: random.Random) -> str:
    photo = sorted(pictures.glob("*.jpg"))[0]
    name = dice.choice((f"{photo.name}.xmp", f"{photo.stem}.xmp", f"{photo.name}.json", ".captionignore"))
    (pictures / name).symlink_to(dice.choice((victim / "secret", Path("/dev/zero"))))
    return f"{name} is a link"


def _a_target(_library: Path, pictures: Path, victim: Path, dice: random.Random) -> str:
    out = pictures.parent / "out"
    for name in ("out.csv", "out.html", "backup.sqlite3"):
        (out / name).symlink_to(victim / dice.choice(("secret", "fresh")))
    (out / "xmp").mkdir()
    for photo in pictures.rglob("*.jpg"):
        (out / "xmp" / f"{photo.name}.xmp").symlink_to(victim / dice.choice(("secret", "fresh")))
    (out / "xmp" / pictures.parent.name).symlink_to(victim)
    return "what an export would write is a link"


_PLANTS: tuple[Callable[[Path, Path, Path, random.Random], str], ...] = (
    _a_file_of_the_library,
    _a_hard_link,
    _a_folder_of_the_library,
    _a_circle,
    _a_photo,
    _a_sidecar,
    _a_target,
)
