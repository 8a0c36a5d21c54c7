"""The renditions that requests carry: from the spool, else made again from the pictures that were approved."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from indexer.crawl.inspect import Examined, WorkOptions
from indexer.crawl.listing import Found
from indexer.crawl.pool import examine
from indexer.domain.answer import Failure, Reason
from indexer.domain.mode import Mode
from indexer.domain.prompts import fill, read_given
from indexer.domain.question import Question, Request
from indexer.ledger.photos import files
from indexer.ledger.store import Ledger
from indexer.ledger.work.items import Work
from indexer.media.rendition_cache import Spool
from indexer.media.versions import DIGEST_VERSION
from indexer.pipeline.session import Session
from indexer.storage.paths import is_address

_GONE = Failure(Reason.UNREADABLE, "no file with this picture can be read any more")
_ANOTHER = Failure(Reason.UNREADABLE, "the file shows another picture by now; index it again")
_GROUP = 64
_FEW = 4  # for so many, one process is started


def with_renditions(session: Session, works: Iterable[Work]) -> Iterator[tuple[Work, bytes | Failure]]:
    """Yield each work with the JPEG bytes of its photo, or why they cannot be had."""
    waiting = iter(works)
    while group := list(islice(waiting, _GROUP)):
        found = _renditions(session.ledger, session.spool, [work.photo for work in group], keep=True)
        yield from ((work, found[work.photo]) for work in group)


def pictures(ledger: Ledger, spool: Spool, photos: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield those of `photos` that can be read now, each with the JPEG of its rendition."""
    found = _renditions(ledger, spool, photos, keep=False)
    yield from ((photo, jpeg) for photo, jpeg in found.items() if isinstance(jpeg, bytes))


def _renditions(ledger: Ledger, spool: Spool, photos: Iterable[str], *, keep: bool) -> dict[str, bytes | Failure]:
    wanted = list(photos)
    kept = spool.get_all(wanted)
    found: dict[str, bytes | Failure] = {photo: kept.get(photo, _GONE) for photo in wanted}
    places = {photo: deque(files.paths_of(ledger, photo)) for photo in found if found[photo] is _GONE}
    while turn := [(photo, left.popleft()) for photo, left in places.items() if left]:
        listed = [Found(path, 0, 0, was=photo) for photo, path in turn]
        options = WorkOptions(
            workers=1 if len(turn) <= _FEW else None, objects=any(is_address(path) for _, path in turn)
        )
        for (photo, _), seen in zip(turn, examine(listed, options=options), strict=True):
            found[photo] = _approved(ledger, photo, seen)
        made = {photo: jpeg for photo, _ in turn if isinstance(jpeg := found[photo], bytes)}
        if keep:
            spool.put(made.items())
        places = {photo: left for photo, left in places.items() if photo not in made}
    return found


def _approved(ledger: Ledger, photo: str, seen: Examined) -> bytes | Failure:
    """What a file shows now, as long as it is the photo that was approved: no other picture goes out in its name."""
    if seen.rendition is None:
        return seen.failure or _GONE
    same = photo in (files.photo_id(seen.rendition, DIGEST_VERSION), files.photo_of(ledger, seen.sha256))
    return seen.rendition.jpeg if same else _ANOTHER


def request(question: Question, work: Work, key: str, image: bytes, mode: Mode) -> Request:
    """Make the request that asks `question` for `work` about `image`, under `key`, in `mode`."""
    prompt = fill(question.template, question.settings.language, read_given(work.given))
    room = question.with_room(work.reason, work.attempts).settings.max_output_tokens
    return Request(key, question, image, prompt, max_output_tokens=room, mode=mode)
