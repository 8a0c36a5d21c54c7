"""Renditions in object storage: a worker puts them there, and whoever packs a batch fetches them.

Their addresses travel in the place of their bytes. A name holds the digest of the bytes: what another one put there is
as good as lost, and a lost rendition is made again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

from indexer.domain.photo import Rendition
from indexer.storage import objects
from indexer.storage.paths import is_address

log = logging.getLogger("captionary.renditions")
_AT_ONCE = 16
_SHOWN = 32


def put_far(home: bytes, rendition: Rendition) -> Rendition:
    """Put the JPEG below the address `home`; where the store does not take it, it stays in the rendition."""
    name = f"/{rendition.digest[:_SHOWN]}-{_digest(rendition.jpeg)}.jpg"
    try:
        objects.put(home.rstrip(b"/") + name.encode(), rendition.jpeg)
    except OSError:
        return rendition
    return replace(rendition, jpeg=home.rstrip(b"/") + name.encode())


def fetched(held: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what is held by photo as JPEGs, those of addresses fetched; without those that cannot be had."""
    far = [photo for photo, jpeg in held.items() if is_address(jpeg)]
    if not far:
        return dict(held)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        there = dict(zip(far, threads.map(_read, (held[photo] for photo in far)), strict=True))
    return {photo: jpeg for photo, own in held.items() if (jpeg := there.get(photo, own))}


def drop_far(held: Iterable[bytes]) -> None:
    """Delete those of the renditions that lie in object storage."""
    by_bucket: dict[bytes, list[bytes]] = {}
    for path in filter(is_address, held):
        by_bucket.setdefault(path.split(b"/")[2], []).append(path)
    for paths in by_bucket.values():
        try:
            objects.delete(paths)
        except OSError as fault:
            log.warning("renditions of photos that were answered could not be deleted: %s", fault)


def _read(path: bytes) -> bytes:
    try:
        jpeg = objects.read(path).data
    except OSError:
        return b""
    return jpeg if path.endswith(f"-{_digest(jpeg)}.jpg".encode()) else b""


def _digest(jpeg: bytes) -> str:
    return hashlib.sha256(jpeg).hexdigest()[:_SHOWN]
