"""Taking one upload out for good: its bytes, its rows, its answers, and what of it lies elsewhere."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable
from pathlib import Path

from indexer.domain.errors import ProviderError
from indexer.ledger.photos import forget
from indexer.ledger.scope import Scope
from indexer.ledger.views import uploads
from indexer.library.folder import Access
from indexer.pipeline.run import Run
from indexer.pipeline.send.framing import read_lines
from indexer.storage.atomic import whole_file
from indexer.storage.layout import BATCHES_FOLDER


def erase(run: Run, access: Access, upload: str, path: bytes) -> bool:
    """Delete the bytes of an upload and all that was learned from them; False while a service is at work on them.

    What another upload with the same bytes needs stays.
    """
    if uploads.is_shared(run.ledger, upload):
        return True
    Path(os.fsdecode(path)).unlink(missing_ok=True)
    scope = Scope((path,))
    if forget.out_at_service(run.ledger, scope):
        return False
    sent = uploads.sent(run.ledger, path)
    for shard in {request.shard for request in sent}:
        _scrub(access.folder / BATCHES_FOLDER, shard, [request.key for request in sent if request.shard == shard])
    for provider, account, handles in {(request.provider, request.account, request.handles) for request in sent}:
        _discard(access, provider, account, handles)
    run.forget(scope)
    return True


def _scrub(batches: Path, shard: str, keys: Iterable[str]) -> None:
    """Take the lines of these requests out of what is kept of a batch."""
    marks = [f'"{key}"'.encode() for key in keys]
    for path in (batches / f"{shard}.jsonl", batches / f"{shard}.results.jsonl.gz"):
        if not path.exists():
            continue
        lines = [line for line in read_lines(path) if not any(mark in line for mark in marks)]
        text = b"".join(line + b"\n" for line in lines)
        with whole_file(path) as stream:
            stream.write(gzip.compress(text, 6, mtime=0) if path.suffix == ".gz" else text)


def _discard(access: Access, provider: str, account: str, handles: Iterable[str]) -> None:
    """Delete the files of a batch at the service, which have served; a service that keeps them is told of."""
    for handle in handles:
        try:
            service = access.provider(provider, account).batches
            if service is not None:
                service.discard(handle)
        except ProviderError as fault:
            access.watcher.note(f"{provider} may keep {handle}: {fault}")
