"""Paths outside the roots of a crawl that are dead now: of photos that were found here, and of roots that are gone.

A dead path with a living copy has moved, unless its drive is only away: then it is offline, and its copy is shown in
its place. A dead path without a copy is never let go here, because deletions are judged only inside the roots given.
"""

from __future__ import annotations

import os
from pathlib import Path

from indexer.ledger.photos import files
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger
from indexer.storage.paths import is_address, is_inside, to_text


def let_go(ledger: Ledger, run: int, scope: Scope) -> list[str]:
    """Mark what is dead outside `scope`; returns notes for a person."""
    roots = dict(files.known_roots(ledger))
    vanished = [root for root in roots if not is_address(root) and not os.path.lexists(root)]
    vanished = [root for root in vanished if not any(is_inside(root, other) for other in scope.roots or ())]
    copies = files.copies_outside(ledger, run, scope)
    dead = [path for path in copies if not (is_address(path) or os.path.lexists(path))]
    moved = [path for path in dead if not _is_away(path, roots)]
    offline = sorted({*dead} - {*moved})
    notes = []
    for root in vanished:
        if not _is_away(root, roots):
            moved += files.with_copy_outside(ledger, Scope((root,)), Scope(tuple(vanished)))
        let = frozenset(moved)
        lost = [path for path in files.present_in(ledger, Scope((root,))) if path not in let]
        offline += lost
        if lost:
            notes.append(_told(root, len(lost)))
    files.record_states(ledger, run, offline, "offline", "away")
    count = files.record_states(ledger, run, moved, "gone", "gone")
    if count:
        notes.append(
            f"photos that were found at another place now, so that their old paths leave the search: {count:,}"
        )
    return notes


def _told(root: bytes, count: int) -> str:
    return (
        f"{to_text(root)} is not there: {count:,} of its files are marked offline. If they moved: index relocate OLD "
        "NEW; if they were deleted: index it with --confirm-deleted"
    )


def _is_away(path: bytes, roots: dict[bytes, int]) -> bool:
    """Say whether the drive of a path that is not there is away, as far as its root's device tells.

    What nobody here may look at is away, too: it cannot be said to be gone.
    """
    root = max((root for root in roots if is_inside(path, root)), key=len, default=None)
    if root is None:
        return False
    place = Path(os.fsdecode(root))
    try:
        standing = next(each for each in (place, *place.parents) if each.exists())
    except PermissionError:
        return True
    return standing.stat().st_dev != roots[root]
