"""A server of one's own at work: probed once for what it can do, then asked the way that works.

A schema is enforced where the server can (`json_schema`), else JSON is (`json_object`), else the prompt asks for it.
What does not fit into the model's context is refused before it is asked, because servers cut it without a word.
"""

from __future__ import annotations

import base64
import threading
from typing import Any

from indexer.domain.answer import Answer, Failure, Reason, Row
from indexer.domain.errors import BadSetting, NotFound, Refused, UsageError
from indexer.domain.question import Question, Request
from indexer.providers import chat
from indexer.providers.chat_calls import ask
from indexer.providers.compatible import LLAMACPP, LMSTUDIO, OLLAMA, SPEC, VLLM, CompatibleOptions
from indexer.providers.compatible.context import context_of, refuse_small, slots_of
from indexer.providers.http import Http, Service, Timeouts, checked_url
from indexer.providers.spec import Opening, Spec

_KEY_VARIABLE = "CAPTIONARY_COMPATIBLE_API_KEY"
_WAYS = ("json_schema", "json_object", "prompt")
_PROBE_ROOM = 256
_PROBE_SCHEMA = '{"properties":{"description":{"type":"string"}},"required":["description"],"type":"object"}'
# A grey square of 32 pixels as PNG.
_PROBE_PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAAAAABWESUoAAAAFklEQVR42mNoIAAYRhWMKhhVMFIVAABCAAAfN5c2AAAAAABJRU5ErkJggg=="
)


class Compatible:
    """A server that speaks OpenAI's chat; see `indexer.providers.seam` for what each verb promises."""

    batches = None

    def __init__(self, spec: Spec, http: Http, seconds: float) -> None:
        self.spec = spec
        self._http = http
        self._seconds = seconds
        self._lock = threading.Lock()
        self._ways: dict[str, tuple[str, int | None]] = {}

    def models(self) -> list[str]:
        """Return the names of the models on offer."""
        return self._http.names()

    def slots(self) -> int | None:
        """Return how many calls the server answers at once; None where it does not say."""
        return slots_of(self._http)

    def check(self, question: Question) -> str:
        """Nothing is known against any question."""
        return ""

    def model(self) -> str:
        """Return the only model that the server has; raises `UsageError` where it has several."""
        names = self.models()
        if len(names) != 1:
            offered = ", ".join(names[:8]) or "none"
            raise UsageError(
                f"the server at {self._http.service.base_url} offers {len(names)} models: {offered}",
                hint="name one with --model",
            )
        return names[0]

    def ask(self, request: Request) -> Row:
        """Ask one call; an answer that is not the JSON asked for is asked for once more."""
        way, context = self._way(request.question)
        refuse_small(context, request)
        row = self._once(request, way)
        if isinstance(row.outcome, Failure) and row.outcome.reason is Reason.MALFORMED:
            row = self._once(request, way)
        if row.usage is not None:
            refuse_small(context, request, row.usage)
        return row

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _once(self, request: Request, way: str) -> Row:
        return ask(self._http, request.key, chat.body(request, chat.Dialect(schema=way)), timeout=self._seconds)

    def _way(self, question: Question) -> tuple[str, int | None]:
        """How this server is held to a schema, found out with one small picture a model, and the model's context."""
        with self._lock:
            if question.model not in self._ways:
                way = self._probe(question)  # first: some servers know the context of a model that is loaded
                self._ways[question.model] = way, context_of(self._http, question.model)
            return self._ways[question.model]

    def _probe(self, question: Question) -> str:
        asked = Question(question.provider, question.model, "What do you see?", _PROBE_SCHEMA, question.settings)
        request = Request("probe", asked, _PROBE_PICTURE, "What do you see?", "image/png", _PROBE_ROOM)
        said: Any = "nothing"
        cut = ""
        for way in _WAYS:
            try:
                outcome = self._once(request, way).outcome
            except NotFound:
                raise
            except Refused as fault:
                said = fault
                continue
            if isinstance(outcome, Answer):
                return way
            if outcome.reason is Reason.TRUNCATED:  # a long answer, or talk that heeds no schema: no way to tell
                cut = cut or way
            said = outcome.detail
        if cut:
            return cut
        raise Refused(
            f"the model {question.model} at {self._http.service.base_url} cannot describe a picture: {said}",
            hint="choose a model that takes pictures, with --model",
        )


def _open(spec: Spec, usual: str, opening: Opening) -> Compatible:
    options = CompatibleOptions(**opening.options)
    if not (options.url or usual):
        raise BadSetting(
            "the address of your server is not set",
            hint='write url = "http://127.0.0.1:8000/v1" under [compatible] in captionary.toml, or --provider ollama',
        )
    url = checked_url("[compatible] url", options.url, usual)
    key = opening.environ.get(_KEY_VARIABLE, "").strip()
    headers = {"Authorization": f"Bearer {key or 'none'}"}
    service = Service("your server", url, key, headers, f"set {_KEY_VARIABLE} if the server wants a key")
    return Compatible(spec, Http(service, Timeouts(connect=5.0), opening.sleep), options.seconds)


def open_compatible(opening: Opening) -> Compatible:
    """Return the server at `[compatible] url`."""
    return _open(SPEC, "", opening)


def open_ollama(opening: Opening) -> Compatible:
    """Return Ollama at its usual address."""
    return _open(OLLAMA, "http://127.0.0.1:11434/v1", opening)


def open_vllm(opening: Opening) -> Compatible:
    """Return vLLM at its usual address."""
    return _open(VLLM, "http://127.0.0.1:8000/v1", opening)


def open_llamacpp(opening: Opening) -> Compatible:
    """Return llama.cpp at its usual address."""
    return _open(LLAMACPP, "http://127.0.0.1:8080/v1", opening)


def open_lmstudio(opening: Opening) -> Compatible:
    """Return LM Studio at its usual address."""
    return _open(LMSTUDIO, "http://127.0.0.1:1234/v1", opening)


__all__ = ["Compatible", "open_compatible", "open_llamacpp", "open_lmstudio", "open_ollama", "open_vllm"]
