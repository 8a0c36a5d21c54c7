"""Verdicts posted to an address, signed, in order, at least once.

The body is {"verdicts": [...], "cursor"}; the header `Captionary-Signature: t=SECONDS,v1=HEX` is the HMAC-SHA256 of
"SECONDS." and the body under the shared secret. Any 2xx answer means that they are taken.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from itertools import islice

from indexer.domain.errors import CaptionaryError, UsageError, first_line
from indexer.library.inbox import Inbox

SIGNATURE = "Captionary-Signature"
_PAGE = 100
_TIMEOUT = 10.0
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 300.0
_SCHEMES = ("https://", "http://127.0.0.1", "http://localhost", "http://[::1]")


class Webhook:
    """Posts what an inbox decided; what is not taken is posted again, later and later."""

    def __init__(self, inbox: Inbox, secret: str) -> None:
        if not inbox.webhook.startswith(_SCHEMES):
            raise UsageError(f"webhook = {inbox.webhook!r} is not an https address", hint="fix [inbox] webhook")
        if not secret:
            raise UsageError(
                "a webhook needs a secret that signs it",
                hint="export CAPTIONARY_INBOX_SECRET=... here and where the webhook is received",
            )
        self._inbox = inbox
        self._secret = secret.encode()
        self._clock = inbox.clock
        self._wait = _FIRST_WAIT
        self._not_before = 0.0

    def deliver(self) -> int:
        """Post what is new, a page at a time; returns how many verdicts were taken. Waits for nobody."""
        taken = 0
        while self._clock.time() >= self._not_before:
            after = self._inbox.delivered()
            page = list(islice(self._inbox.verdicts(after), _PAGE))
            if not page:
                break
            self._post({"verdicts": [verdict.to_dict() for verdict in page], "cursor": page[-1].cursor})
            self._inbox.delivered(page[-1].cursor)
            taken += len(page)
        return taken

    def _post(self, told: object) -> None:
        import httpx

        body = json.dumps(told, ensure_ascii=True).encode()
        now = self._clock.time()
        headers = {"Content-Type": "application/json", SIGNATURE: signature(self._secret, body, now)}
        try:
            # What it says beside its status is not read.
            with (
                httpx.Client(headers=headers, timeout=_TIMEOUT) as client,
                client.stream("POST", self._inbox.webhook, content=body) as answer,
            ):
                fault = "" if answer.is_success else f"it answered {answer.status_code}"
        except httpx.HTTPError as failed:
            fault = first_line(failed)
        if fault:
            self._not_before = now + self._wait
            self._wait = min(2 * self._wait, _LONGEST_WAIT)
            raise NotTaken(f"the webhook did not accept the verdicts: {fault}", hint="they will be sent again")
        self._wait, self._not_before = _FIRST_WAIT, 0.0


class NotTaken(CaptionaryError):
    """The webhook could not be reached, or did not take what it was told."""


def signature(secret: bytes, body: bytes, at: float) -> str:
    """Return the value of the header that signs `body` at a moment, in seconds since the epoch."""
    moment = str(int(at))
    return f"t={moment},v1={hmac.new(secret, moment.encode() + b'.' + body, hashlib.sha256).hexdigest()}"
