"""A provider whose service echoes the key in every spelling: in rows, jobs, files, errors, names."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

from indexer.domain.answer import Answer, Failure, Reason, Row, Usage
from indexer.domain.errors import Refused
from indexer.domain.job import Job, JobState, Limits
from indexer.domain.mode import Mode
from indexer.domain.question import Question, Request
from indexer.providers.seam import BatchFile, Match
from indexer.providers.spec import Rank, Spec

KEY = "Echo+key/0123456789abcdef"
OTHER = "sk-proj-abcdef0123456789"
ESCAPED = "".join(f"\\u{ord(sign):04X}" for sign in KEY)
SPELLINGS = (KEY, quote(KEY, safe=""), base64.b64encode(KEY.encode()).decode().rstrip("="), OTHER)
SPEC = Spec(
    name="echo",
    rank=Rank.REMOTE_MODEL,
    modes=(Mode.BATCH, Mode.INTERACTIVE),
    default_model="echo-1",
    opens="tests.support.echo:none",
    key_variables=("ECHO_API_KEY",),
    free=True,
)
WORDS = "I know " + ", ".join(SPELLINGS)


class EchoBatches:
    """Its batches: the second line is an error, the last one cannot be read."""

    def __init__(self) -> None:
        self._keys: dict[str, list[str]] = {}

    def limits(self, model: str) -> Limits:
        """Enough for the tests."""
        return Limits(1 << 30, 1000, 1 << 40)

    def encode(self, request: Request) -> bytes:
        """The key of the line is enough."""
        return json.dumps({"key": request.key}).encode()

    def decode(self, line: bytes) -> Row:
        """Take over whatever the line says."""
        try:
            found = json.loads(line)
        except ValueError:
            return Row(None, Failure(Reason.MALFORMED, f"cannot be read: {line.decode()}"))
        if "error" in found:
            return Row(found["key"], Failure(Reason.REJECTED, found["error"]))
        return Row(found["key"], _answer(found["said"]), Usage(1, 1))

    def upload(self, shard: BatchFile) -> str:
        """Remember the keys of the lines."""
        self._keys[shard.label] = [json.loads(line)["key"] for line in shard.path.read_bytes().splitlines()]
        return f"files/{shard.label}"

    def create(self, shard: BatchFile) -> Job:
        """Made at once."""
        return self._job(f"batches/{shard.label}")

    def find(self, shard: BatchFile) -> list[Match]:
        """Never any."""
        return []

    def poll(self, name: str) -> Job:
        """Done at once."""
        return self._job(name)

    def cancel(self, name: str) -> bool:
        """Not needed."""
        return False

    def fetch(self, job: Job, target: Path) -> None:
        """Write every key in every spelling, escapes of JSON among them."""
        first, second, *rest = self._keys[job.name.removeprefix("batches/")]
        lines = [json.dumps({"key": key, "said": WORDS}) for key in (first, *rest[:-1])]
        lines += [json.dumps({"key": second, "error": WORDS})]
        lines += [f'{{"key": "{rest[-1]}", "said": "escaped {ESCAPED}"}}', f"not JSON {WORDS}"]
        target.write_text("\n".join(lines))

    def discard(self, handle: str) -> None:
        """Refuse, with the key."""
        raise Refused(WORDS, hint=WORDS)

    def _job(self, name: str) -> Job:
        return Job(name, JobState.FINISHED, display_name=WORDS, results=("out",), error=WORDS)


class Echo:
    """The provider."""

    spec = SPEC

    def __init__(self) -> None:
        self.batches = EchoBatches()

    def model(self) -> str:
        """The default."""
        return SPEC.default_model

    def models(self) -> list[str]:
        """Its names hold the key."""
        return [WORDS]

    def check(self, question: Question) -> str:
        """Nothing against it."""
        return ""

    def ask(self, request: Request) -> Row:
        """One answer."""
        if request.mode is Mode.INTERACTIVE and request.question.model == "refusing":
            raise Refused(WORDS, hint=WORDS)
        return Row(request.key, _answer(WORDS), Usage(1, 1))

    def close(self) -> None:
        """Nothing is open."""


def _answer(words: str) -> Answer:
    return Answer(words, (words.lower(),), words, {"note": words, "list": [words], words: {"deep": words}}, words)
