"""`index relocate`: a folder of photos lies at another place now, and the library is told so once."""

from __future__ import annotations

import os
from pathlib import Path

from indexer.domain.errors import MissingPath, UsageError
from indexer.ledger.photos import relocate
from indexer.ledger.photos.relocate import Move
from indexer.ledger.scope import Scope
from indexer.pipeline.run import Run
from indexer.storage.paths import AnyPath, is_address, is_inside, resolve_root, shown


def moved(run: Run, old: AnyPath, new: AnyPath) -> int:
    """Give every file at `old` its path at `new`; returns how many. Raises `UsageError` or `MissingPath`.

    The rows at the new paths are written before the old ones go, so that nothing is embedded again, and a run that
    ends in between is finished by another one.
    """
    source, target = resolve_root(old), resolve_root(new)
    if is_address(source) or is_address(target):
        raise UsageError("only folders on this machine can be relocated", hint="index the new place; nothing is paid")
    if source == target:
        raise UsageError(f"{shown(source)} is where it was", hint="give the old and the new place")
    if not os.path.lexists(target):
        raise MissingPath(f"there is no such folder: {shown(target)}", hint="move the photos there first")
    moves = [_move(path, source, target) for path in relocate.known_at(run.ledger, Scope((source,)))]
    # Where one place lies in the other, what is at the new one already stays.
    moves = [move for move in moves if not (is_inside(target, source) and is_inside(move.old, target))]
    if not moves:
        raise MissingPath(f"the library has nothing at {shown(source)}", hint="check the spelling of the old place")
    if not any(move.there for move in moves):
        raise MissingPath(f"none of the files of {shown(source)} is at {shown(target)}", hint="check the new place")
    relocate.arrive(run.ledger, run.number, moves)
    run.project()
    device = Path(os.fsdecode(target)).stat().st_dev
    relocate.leave(run.ledger, run.number, moves, (source, target, device))
    run.project()
    relocate.drop(run.ledger, moves)
    return len(moves)


def _move(path: bytes, source: bytes, target: bytes) -> Move:
    new = target + path[len(source) :] if source != b"/" else target.rstrip(b"/") + path
    return Move(path, new, os.path.dirname(new), os.path.lexists(new))  # noqa: PTH120 - bytes
