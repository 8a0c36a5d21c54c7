"""What `plan` and `index` take by keyword, and the check that what was given can be meant."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from typing import Any, TypedDict, get_type_hints

from indexer.domain.errors import UsageError
from indexer.domain.nearest import did_you_mean
from indexer.domain.workers import WANTED, Workers, is_workers
from indexer.storage.paths import AnyPath


class IndexOptions(TypedDict, total=False):
    """What `plan` and `index` take by keyword; everything has a default.

    `prompt` and `schema` are files; money is in US dollars, `deadline` in seconds from the approval, `price` "IN,OUT"
    in dollars per million tokens. Each `gate` is "NAME=VALUE"; `max_per_1000` bounds the routes of the provider "best",
    in dollars; `hedge` lets it ask another provider as well about photos that would miss the deadline.
    `refresh` "given" asks again where facts given to the prompt have changed. `one_per_burst` asks about
    one photo of each burst, whose description the others take; False asks about these as well. `min_side` is in pixels:
    a picture neither of whose sides reaches it is left out. `reread` opens also the files that look unchanged.
    `workers` is a number of processes, "ray" or "ray://HOST:PORT".
    """

    provider: str
    mode: str
    model: str
    prompt: AnyPath
    schema: AnyPath
    language: str
    media_resolution: str
    pilot: int
    budget: float
    deadline: float
    max_per_1000: float
    hedge: bool
    price: str
    gate: Sequence[str]
    refresh: str
    one_per_burst: bool
    exclude: Sequence[str]
    follow: bool
    hidden: bool
    max_pixels: int
    min_side: int
    workers: Workers
    confirm_deleted: bool
    reread: bool
    wait: bool


_KINDS = get_type_hints(IndexOptions)


def checked(options: IndexOptions) -> IndexOptions:
    """Return `options` without those that are None; raises `UsageError` for an unknown one or a value of another kind.

    Without this a misspelt `budget` would spend without a cap.
    """
    for name, value in options.items():
        if name not in _KINDS:
            known = [*_KINDS, "approve"]  # which `index` takes beside these
            raise UsageError(
                f"there is no option {name!r}", hint=did_you_mean(name, known) or f"options: {', '.join(_KINDS)}"
            )
        if value is not None and (fault := _fault(_KINDS[name], value)):
            raise UsageError(f"{name} = {value!r} is not {fault}", hint=f"give {fault}")
    told: Any = {name: value for name, value in options.items() if value is not None}
    return told  # type: ignore[no-any-return]


def checked_paths(paths: Iterable[AnyPath]) -> list[AnyPath]:
    """Return the `paths` as a list; raises `UsageError` for one path where a list of paths belongs."""
    if isinstance(paths, str | bytes | os.PathLike):
        raise UsageError(f"{paths!r} is one path where a list of paths belongs", hint=f"give [{paths!r}]")
    if not isinstance(paths, Iterable):
        raise UsageError(f"{paths!r} is not a list of paths", hint='for example ["~/Photos"]')
    listed = list(paths)
    for path in listed:
        if not isinstance(path, str | bytes | os.PathLike):
            raise UsageError(f"{path!r} is not a path", hint='for example ["~/Photos"]')
    return listed


def checked_amount(name: str, value: float | None) -> float | None:
    """Return an amount of dollars or seconds; raises `UsageError` for what is negative or not a number."""
    if value is not None and (fault := _fault(float, value)):
        raise UsageError(f"{name} = {value!r} is not {fault}", hint=f"give {fault}")
    return value


def _fault(kind: Any, value: object) -> str:
    """What a value should be, "" when it is that."""
    if kind is bool:
        return "" if isinstance(value, bool) else "True or False"
    if kind is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if number and 0 <= float(str(value)) < math.inf else "a number from 0 up"
    if kind is int:
        return (
            "" if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else "a whole number from 0 up"
        )
    if kind == Workers:
        return "" if is_workers(value) else WANTED
    if kind is str:
        return "" if isinstance(value, str) else "a text"
    if kind == AnyPath:
        return "" if isinstance(value, str | bytes | os.PathLike) else "a path"
    listed = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return "" if listed and all(isinstance(one, str) for one in value) else "a list of texts"  # type: ignore[attr-defined]
