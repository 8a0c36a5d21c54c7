"""How the cases of a fault matrix are written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PHOTOS = 4
"""How many photos a play has, unless its case says otherwise."""
CONCURRENCY = 4
"""How many requests may be in doubt, whatever happens: as many as fly at once."""


@dataclass(frozen=True, slots=True)
class Case:
    """One fault, or some together.

    `wasted` is how many rows the service may have served in vain, `failed` the reasons of photos that the first run
    leaves behind, `blocked` how many retry must leave alone, `photos` how many the play has.
    """

    name: str
    faults: tuple[tuple[str, str, dict[str, Any]], ...]
    wasted: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    blocked: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    photos: int = PHOTOS


def one(route: str, kind: str, **more: Any) -> Case:
    """A fault that strikes once, or as its parameters say."""
    known = {name: more.pop(name) for name in ("wasted", "failed", "blocked", "settings", "options") if name in more}
    rule = {"nth": 1, **more} if route != "job" else {"times": 1, **more}
    options = {name: value for name, value in known.get("options", {}).items() if value != "interactive"}
    told = " ".join(f"{name}={value}" for name, value in {**more, **options}.items() if name != "message")
    return Case(f"{route} {kind} {told}".strip(), ((route, kind, rule),), **known)


def lost_create(kind: str, **rule: Any) -> Case:
    """A create that was accepted without an answer, and a list that cannot be trusted."""
    told = " ".join(f"{name}={value}" for name, value in rule.items())
    return Case(f"create drop, list {kind} {told}".strip(), (("create", "drop", {"nth": 1}), ("list", kind, rule)))


def row(kind: str, reason: str = "", /, **more: Any) -> Case:
    """A fault of one result row; with a reason the photo fails for it, and its row was paid in vain."""
    paid = more.pop("paid", True)
    return one(
        "row",
        kind,
        failed={reason: 1} if reason else {},
        wasted=int(bool(reason) and paid),
        blocked=int(reason == "blocked"),
        **more,
    )


LIST = [
    lost_create("lag", seconds=40),
    lost_create("empty_page", nth=1),
    lost_create("503", nth=1),
    lost_create("429", nth=1),
    lost_create("garbage", nth=1),
    lost_create("drop", nth=1),
]
"""How the list of jobs may fail whoever lost the answer to a create; services with labels share these."""
GET = [
    *(one("get", kind) for kind in ("503", "429", "404", "500", "html", "garbage", "empty", "drop", "hang")),
    *(one("get", kind) for kind in ("unknown_state", "error_in_200", "truncate", "redirect")),
    *(one("get", kind, times=20, nth=1) for kind in ("503", "429")),
]
"""How a look at a job may fail."""
