"""Google's Gemini Developer API, by batch or by single call."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

from indexer.domain.answer import Row
from indexer.domain.errors import BadSetting, KeyMissing, KeyRefused
from indexer.domain.job import Job, Limits
from indexer.domain.question import Question, Request
from indexer.providers import job_calls
from indexer.providers.gemini import SPEC, GeminiOptions, calls, jobs
from indexer.providers.gemini.check import MAX_FILE_BYTES, check_file, check_stream
from indexer.providers.gemini.service import BASE_URL, GeminiService, GeminiTimeouts
from indexer.providers.google import wire
from indexer.providers.google.faults import KEY_HINT, KEY_PAGE, KEY_VARIABLE
from indexer.providers.google.models import bare, queued_tokens
from indexer.providers.google.schema import SchemaField
from indexer.providers.seam import BatchFile, Match
from indexer.providers.spec import Opening

_MARGIN = 0.9
_MOST_LINES = 100_000
_SOME_JPEG = b"\xff\xd8\xff\xe0"


class Gemini:
    """The Gemini provider; see `indexer.providers.seam` for what each verb promises.

    `tier` is the account's usage tier, 1 to 3, and sets how much may queue; `schema_field` the way answer
    schemas are sent; `sleep` is called between tries of steps that may be repeated.
    """

    spec = SPEC

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        *,
        schema_field: SchemaField = SchemaField.OPENAPI,
        tier: int = 1,
        timeouts: GeminiTimeouts | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._service = GeminiService(
            _checked_key(api_key), _checked_url(base_url or BASE_URL), timeouts or GeminiTimeouts(), sleep
        )
        self._schema_field = SchemaField(schema_field)
        self.batches = GeminiBatches(self._service, self._schema_field, tier)

    def model(self) -> str:
        """Return the default model."""
        return SPEC.default_model

    def models(self) -> list[str]:
        """Return the names of the models on offer."""
        found = self._service.patiently(
            lambda: self._service.get("list the models", "models", {"pageSize": "1000"}).get("models")
        )
        entries = found if isinstance(found, list) else []
        return [bare(str(entry["name"])) for entry in entries if isinstance(entry, dict) and entry.get("name")]

    def check(self, question: Question) -> str:
        """Return why every request of this question would be refused, "" when nothing is known against it."""
        line = self.batches.encode(Request("question", question, _SOME_JPEG, question.template))
        return next((f"{fault.field} {fault.problem}; {fault.fix}" for fault in check_stream(BytesIO(line))), "")

    def ask(self, request: Request) -> Row:
        """Ask one call now, once."""
        return calls.ask(self._service, request, self._schema_field)

    def close(self) -> None:
        """Close the connections; happens by itself when the provider is let go."""
        self._service.close()


class GeminiBatches:
    """Gemini's batch jobs: a file of requests, a job with a display name, a file of results."""

    def __init__(self, service: GeminiService, schema_field: SchemaField, tier: int) -> None:
        self._service = service
        self._schema_field = schema_field
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

    def decode(self, line: bytes) -> Row:
        """Read one result line; never raises."""
        return wire.decode_line(line)

    def upload(self, shard: BatchFile) -> str:
        """Send a batch file and return its handle, `files/...`.

        It is checked before: the service would refuse all of it for one line, and name none.
        """
        job_calls.refuse_faults(shard, check_file(shard.path))
        return jobs.upload(self._service, shard.path, f"{shard.label}.jsonl")

    def create(self, shard: BatchFile) -> Job:
        """Create the job, once."""
        return jobs.create(self._service, shard.question.model, shard.handle, shard.label)

    def find(self, shard: BatchFile) -> list[Match]:
        """Return the jobs of exactly this display name and of one of its files, oldest first."""
        known = ("", *shard.handles)
        return [Match(job) for job in jobs.find(self._service, shard.label) if job.input_file in known]

    def poll(self, name: str) -> Job:
        """Return the job as it stands; `NotFound` shortly after `create` may only mean that look-ups lag."""
        return jobs.poll(self._service, name)

    def fetch(self, job: Job, target: Path) -> None:
        """Stream the job's result lines to `target`, verified whole."""
        jobs.fetch(self._service, job, target)

    def cancel(self, name: str) -> bool:
        """Ask the service to stop the job."""
        jobs.cancel(self._service, name)
        return True

    def discard(self, handle: str) -> None:
        """Delete an uploaded batch file."""
        jobs.discard(self._service, handle)


def open_gemini(opening: Opening) -> Gemini:
    """Return the provider that the environment describes.

    Reads GOOGLE_API_KEY (wins) or GEMINI_API_KEY, and GOOGLE_GEMINI_BASE_URL; `KeyMissing` without a key.
    """
    key = SPEC.key(opening.environ)
    if not key:
        raise KeyMissing(
            f"no key for Gemini: neither GOOGLE_API_KEY nor {KEY_VARIABLE} is set",
            hint=f"get one at {KEY_PAGE}, then: export {KEY_VARIABLE}=...",
        )
    options = GeminiOptions(**opening.options)
    return Gemini(
        key,
        opening.environ.get("GOOGLE_GEMINI_BASE_URL", "").strip() or None,
        schema_field=SchemaField(options.schema_field or SchemaField.OPENAPI),
        tier=options.tier,
        sleep=opening.sleep,
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
            f"GOOGLE_GEMINI_BASE_URL is {url!r}, which is not a web address",
            hint="leave it unset, or give https://HOST",
        )
    return url


__all__ = ["MAX_FILE_BYTES", "Gemini", "GeminiTimeouts", "SchemaField", "open_gemini"]
