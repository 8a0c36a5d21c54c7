"""The records that travel between the rooms, and the keys that name things.

Photo, work and path are three keys. A *photo* is an id given once to pixels; a *path* is where those pixels lie
today; a *work key* names one question about one photo. Mixing them is how other tools pay twice or lose renames.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """Why a photo has no description; every failed photo ends with exactly one."""

    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    REJECTED = "rejected"
    BLOCKED = "blocked"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    MISSING = "missing"
    EXPIRED = "expired"
    SERVER_ERROR = "server_error"


class Handling(StrEnum):
    """What a failed request means for the run.

    `KEEP`: the photo failed, for its reason. `AGAIN`: the service never tried it, so it goes back to pending and no
    attempt is used up. `PAUSE`: the account is at fault (no credit, a dead key), every other request would fail as
    well: stop asking and blame no photo.
    """

    KEEP = "keep"
    AGAIN = "again"
    PAUSE = "pause"


class Mode(StrEnum):
    """The lane that carries a request."""

    BATCH = "batch"
    INTERACTIVE = "interactive"


class JobState(StrEnum):
    """The states of a batch job, the same for every provider."""

    INTENDED = "intended"
    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the service will not change this job any more."""
        return self in (JobState.FINISHED, JobState.FAILED, JobState.EXPIRED, JobState.CANCELLED)


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


@dataclass(frozen=True, slots=True)
class Settings:
    """What else changes an answer; part of the work key."""

    language: str = "English"
    media_resolution: str = "medium"
    temperature: float = 0.2
    max_output_tokens: int = 512
    thinking: str = "minimal"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and of whom; the same for all photos of a run.

    `template` is the prompt text before `{language}` and facts are filled in; `schema` the canonical JSON Schema
    text of the answer.
    """

    provider: str
    model: str
    template: str
    schema: str
    settings: Settings = Settings()

    @property
    def prompt_version(self) -> str:
        """The digest of the template, 12 hex digits."""
        return digest("prompt", self.template)[:12]

    @property
    def schema_version(self) -> str:
        """The digest of the answer schema, 12 hex digits."""
        return digest("schema", self.schema)[:12]

    def settings_json(self) -> str:
        """The settings as canonical JSON."""
        return canonical_json({name: getattr(self.settings, name) for name in Settings.__slots__})

    def with_room(self, reason: str, attempts: int) -> Question:
        """Return the question for one more attempt: with more room where the last answer was cut off.

        The room is no part of the work key: it is the same work, asked again.
        """
        if reason != Reason.TRUNCATED:
            return self
        room = self.settings.max_output_tokens * 2 ** min(max(attempts, 1), 2)
        return replace(self, settings=replace(self.settings, max_output_tokens=room))

    def work_key(self, photo: str) -> str:
        """Name this question about `photo`: 20 hex digits."""
        return digest(photo, self.prompt_version, self.schema_version, self.provider, self.model, self.settings_json())[
            :20
        ]


def line_key(work: str, library: str, attempt: int) -> str:
    """Name one attempt at a work in any batch file: `{work 20}-{library 6}-{attempt}`."""
    return f"{work}-{library[:6]}-{attempt}"


def job_name(library: str, shard: str, attempt: int) -> str:
    """The display name under which a shard's job is created and found again."""
    return f"captionary-{library[:8]}-{shard[:8]}-{attempt}"


@dataclass(frozen=True, slots=True)
class Request:
    """One photo, ready to be asked about.

    `image` is the encoded rendition (JPEG bytes, no metadata), `prompt` the filled-in template. `max_output_tokens`
    overrides the question's when an attempt needs more.
    """

    key: str
    question: Question
    image: bytes
    prompt: str
    mime_type: str = "image/jpeg"
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that one request was billed for; thinking tokens count as output."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider says of a photo: description, lower-case tags, text seen in it, and any further fields."""

    description: str
    tags: tuple[str, ...] = ()
    visible_text: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request brought no answer; `detail` is one line for a person, `handling` what it means for the run."""

    reason: Reason
    detail: str
    handling: Handling = Handling.KEEP


@dataclass(frozen=True, slots=True)
class Row:
    """One result line: the key it claims (None when it has none), what it says, and what it cost (None: unknown)."""

    key: str | None
    outcome: Answer | Failure
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A batch job as the service tells it.

    `input_file` and `output_file` are the service's own handles; `error` is the service's words when it failed;
    counts are None where the service does not say. Times are seconds since the epoch.
    """

    name: str
    state: JobState
    display_name: str = ""
    input_file: str = ""
    output_file: str = ""
    requests: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    error: str = ""
    created_at: float | None = None
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What binds one batch file and the queue behind it."""

    max_bytes: int
    max_lines: int
    max_queued_tokens: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says of itself, before anybody describes it.

    `taken_at` is local wall time without a zone (ISO 8601, seconds), `taken_source` the field it was read from;
    `place` is one line of names (location, city, state, country). `keywords` keep the author's spelling.
    """

    taken_at: str | None = None
    taken_source: str | None = None
    camera: str | None = None
    lens: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    place: str | None = None
    title: str | None = None
    caption: str | None = None
    keywords: tuple[str, ...] = ()
    rating: int | None = None


@dataclass(frozen=True, slots=True)
class Rendition:
    """A picture decoded once: the photo's digest, its upright size in pixels, and the clean JPEG for upload.

    `digest` is 64 hex digits over the upright sRGB pixels at the frozen analysis size; `phash` 16 hex digits for
    near-duplicates; `note` says what was left out (further frames, a truncated tail), "" when nothing was.
    """

    digest: str
    phash: str
    width: int
    height: int
    format: str
    jpeg: bytes
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """A price in US dollars as a range."""

    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True, slots=True)
class Wait:
    """How long until the last answer is here, in seconds; `source` says whether that was measured here."""

    low_s: float
    high_s: float
    source: str


@dataclass(frozen=True, slots=True)
class Sampled:
    """A photo of the pilot: what came back, or why nothing did, and what it cost."""

    path: str
    description: str
    tags: tuple[str, ...]
    failure: str
    input_tokens: int
    output_tokens: int
    usd: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What a pilot showed: shares from 0 to 1, lengths in characters, dollars a photo asked.

    `estimated_usd` is what the estimate before it said of a photo, in the middle.
    """

    requests: int
    valid: float
    refused: float
    length: float
    input_tokens: float
    output_tokens: float
    usd: float
    estimated_usd: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do and cost, before anything is sent.

    Counts are distinct works: `planned = reused + failed + pending`, and `new` of the pending ones are still to be
    sent; `otherwise` of these have an answer to another question, which is kept. `cost` is what they are expected to
    cost by the asked lane (`interactive_cost`: the same by ordinary calls), `likely_usd` the middle of it where
    `basis` answers measured here say so, `most_usd` what they can cost at the very most. Input tokens are counted by
    the service's rules, output tokens are the most that may come. `shards` is the number of waves that the service's
    queue allows. `given` names the facts of each photo that are sent with it. After a pilot, `sample` and `measured`
    hold what it brought and `sheet` is the file that shows it. `inherited` photos take the description of another one
    of their burst, which `saves` what they would have cost. `warnings` are lines for a person.
    """

    provider: str
    model: str
    mode: Mode
    files: int
    planned: int
    reused: int
    new: int
    duplicate: int
    pilot: int
    input_tokens: int
    output_tokens: int
    cost: Cost
    interactive_cost: Cost
    upload_bytes: int
    shards: int
    sample: tuple[Sampled, ...] = ()
    warnings: tuple[str, ...] = ()
    otherwise: int = 0
    likely_usd: float | None = None
    basis: int = 0
    most_usd: float = 0.0
    disk_bytes: int = 0
    wait: Wait | None = None
    given: tuple[str, ...] = ()
    measured: Measured | None = None
    sheet: str = ""
    inherited: int = 0
    saves: Cost = Cost()
