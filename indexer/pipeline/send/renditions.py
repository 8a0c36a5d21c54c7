"""The rendition that a request carries: from the spool, else made again from the picture."""

from __future__ import annotations

from indexer.domain.answer import Failure, Reason
from indexer.domain.mode import Mode
from indexer.domain.prompts import fill, read_given
from indexer.domain.question import Question, Request
from indexer.ledger.photos import files
from indexer.ledger.work.items import Work
from indexer.media.rendition import PictureError, render
from indexer.pipeline.session import Session
from indexer.storage.places import source

_GONE = Failure(Reason.UNREADABLE, "no file with this picture can be read any more")


def rendition_of(session: Session, photo: str) -> bytes | Failure:
    """Return the JPEG bytes of `photo`, or why they cannot be had."""
    kept = session.spool.get(photo)
    if kept:
        return kept
    failure = _GONE
    for path in files.paths_of(session.ledger, photo):
        try:
            jpeg = render(source(path)).jpeg
        except PictureError as fault:
            failure = Failure(fault.reason, fault.detail)
        except OSError as fault:
            failure = Failure(Reason.UNREADABLE, fault.strerror or "cannot be read")
        else:
            session.spool.put([(photo, jpeg)])
            return jpeg
    return failure


def request(question: Question, work: Work, key: str, image: bytes, mode: Mode) -> Request:
    """Make the request that asks `question` for `work` about `image`, under `key`, in `mode`."""
    prompt = fill(question.template, question.settings.language, read_given(work.given))
    room = question.with_room(work.reason, work.attempts).settings.max_output_tokens
    return Request(key, question, image, prompt, max_output_tokens=room, mode=mode)
