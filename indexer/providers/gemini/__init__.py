"""Google's Gemini Developer API, by batch or by ordinary call."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

from indexer.domain.answer import Row
from indexer.domain.errors import BadSetting, KeyMissing, KeyRefused
from indexer.domain.job import Job, Limits
from indexer.domain.question import Mode, Question, Request
from indexer.providers.gemini import calls, jobs, wire
from indexer.providers.gemini.check import MAX_FILE_BYTES, check_stream
from indexer.providers.gemini.faults import KEY_HINT, KEY_PAGE, KEY_VARIABLE
from indexer.providers.gemini.models import DEFAULT_MODEL, queued_tokens
from indexer.providers.gemini.schema import SchemaField
from indexer.providers.gemini.service import BASE_URL, Service, Timeouts
from indexer.providers.seam import Account

_MARGIN = 0.9
_MOST_LINES = 100_000
_SOME_JPEG = b"\xff\xd8\xff\xe0"


class Gemini:
    """The Gemini provider; see `indexer.providers.seam` for what each verb promises.

    `tier` is the account's usage tier, 1 to 3, and sets how much may queue; `schema_field` the way answer
    schemas are sent; `sleep` is called between tries of steps that may be repeated.
    """

    name = "gemini"
    modes: tuple[Mode, ...] = (Mode.BATCH, Mode.INTERACTIVE)
    default_model = DEFAULT_MODEL
    free = False
    key_variable = KEY_VARIABLE

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        *,
        schema_field: SchemaField = SchemaField.OPENAPI,
        tier: int = 1,
        timeouts: Timeouts | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._service = Service(
            _checked_key(api_key), _checked_url(base_url or BASE_URL), timeouts or Timeouts(), sleep
        )
        self._schema_field = SchemaField(schema_field)
        self._tier = tier

    def limits(self, model: str) -> Limits:
        """What the service takes, less ten percent; no limit of lines is documented, so that one is ours."""
        return Limits(
            max_bytes=int(MAX_FILE_BYTES * _MARGIN),
            max_lines=_MOST_LINES,
            max_queued_tokens=int(queued_tokens(model, self._tier) * _MARGIN),
        )

    def encode(self, request: Request) -> bytes:
        """Return the request as a batch line."""
        return wire.encode_line(request, self._schema_field)

    def refusal(self, question: Question) -> str:
        """Return why every request of this question would be refused, "" when nothing is known against it."""
        line = self.encode(Request("question", question, _SOME_JPEG, question.template))
        return next((f"{fault.field} {fault.problem}; {fault.mend}" for fault in check_stream(BytesIO(line))), "")

    def decode(self, line: bytes) -> Row:
        """Read one result line; never raises."""
        return wire.decode_line(line)

    def ask(self, request: Request) -> Row:
        """Ask one ordinary call now, once."""
        return calls.ask(self._service, request, self._schema_field)

    def upload(self, path: Path, display_name: str) -> str:
        """Send a batch file and return its handle, `files/...`."""
        return jobs.upload(self._service, path, display_name)

    def create(self, question: Question, input_file: str, display_name: str) -> Job:
        """Create the job, once."""
        return jobs.create(self._service, question.model, input_file, display_name)

    def find(self, display_name: str) -> list[Job]:
        """Return the jobs of exactly this display name, oldest first."""
        return jobs.find(self._service, display_name)

    def poll(self, name: str) -> Job:
        """Return the job as it stands; `NotFound` shortly after `create` may only mean that look-ups lag."""
        return jobs.poll(self._service, name)

    def fetch(self, job: Job, target: Path) -> None:
        """Stream the job's result lines to `target`, verified whole."""
        jobs.fetch(self._service, job, target)

    def cancel(self, name: str) -> None:
        """Ask the service to stop the job."""
        jobs.cancel(self._service, name)

    def discard(self, input_file: str) -> None:
        """Delete an uploaded batch file."""
        jobs.discard(self._service, input_file)

    def close(self) -> None:
        """Close the connections; happens by itself when the provider is let go."""
        self._service.close()


def open_gemini(environ: Mapping[str, str], account: Account = Account()) -> Gemini:
    """Return the provider that `environ` describes.

    Reads GOOGLE_API_KEY (wins) or GEMINI_API_KEY, and GOOGLE_GEMINI_BASE_URL; `KeyMissing` without a key.
    """
    key = environ.get("GOOGLE_API_KEY", "").strip() or environ.get(KEY_VARIABLE, "").strip()
    if not key:
        raise KeyMissing(
            f"no key for Gemini: neither GOOGLE_API_KEY nor {KEY_VARIABLE} is set",
            hint=f"get one at {KEY_PAGE}, then: export {KEY_VARIABLE}=...",
        )
    return Gemini(
        key,
        environ.get("GOOGLE_GEMINI_BASE_URL", "").strip() or None,
        schema_field=SchemaField(account.schema_field or SchemaField.OPENAPI),
        tier=account.tier,
    )


def _checked_key(key: str) -> str:
    """A key that no header can carry would be quoted in the error of whoever tried."""
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise KeyRefused("the Gemini key is empty or has characters that no key has", hint=KEY_HINT)
    return key


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadSetting(
            f"GOOGLE_GEMINI_BASE_URL is {url!r}, which is no web address",
            hint="leave it unset, or give https://HOST",
        )
    return url


__all__ = ["MAX_FILE_BYTES", "Gemini", "SchemaField", "Timeouts", "open_gemini"]
