"""The digests and names that keep photo, work item, path, line and job apart."""

from __future__ import annotations

import hashlib
import json


def canonical_json(value: object) -> str:
    """Return the one JSON text of `value`: sorted keys, no spaces, so that equal values have equal digests."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(*parts: str | bytes) -> str:
    """Return the sha256 of `parts` as 64 hex digits; parts are length-prefixed, so their borders count."""
    running = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        running.update(len(raw).to_bytes(8, "big"))
        running.update(raw)
    return running.hexdigest()


def line_key(work: str, library: str, attempt: int) -> str:
    """Name one attempt at a work in any batch file: `{work 20}-{library 6}-{attempt}`."""
    return f"{work}-{library[:6]}-{attempt}"


def job_name(library: str, shard: str, attempt: int) -> str:
    """The display name under which a shard's job is created and found again."""
    return f"captionary-{library[:8]}-{shard[:8]}-{attempt}"
