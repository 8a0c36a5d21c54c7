"""What a running inbox does by itself: advance, and tell the webhook."""

from __future__ import annotations

import threading
from collections.abc import Callable

from indexer.domain.errors import CaptionaryError
from indexer.library.inbox import Inbox
from indexer.library.webhook import Webhook


class InboxWorker:
    """Advances an inbox every `every` seconds in a thread of its own; what stops it once is told and tried again."""

    def __init__(self, inbox: Inbox, every: float, note: Callable[[str], None], webhook: Webhook | None) -> None:
        self._inbox = inbox
        self._every = every
        self._note = note
        self._webhook = webhook
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="inbox", daemon=True)

    def __enter__(self) -> InboxWorker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        last = ""
        while True:
            last = self._told(last, self._step)
            if self._ended.wait(self._every):
                return

    def _step(self) -> None:
        try:
            self._inbox.advance()
        finally:
            if self._webhook is not None:
                self._webhook.deliver()

    def _told(self, last: str, step: Callable[[], None]) -> str:
        """Take a step; a fault is told once, not every time."""
        try:
            step()
        except CaptionaryError as fault:
            if str(fault) != last:
                self._note(str(fault))
            return str(fault)
        return ""
