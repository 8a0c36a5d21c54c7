"""DeepSeek at work: JSON mode, thinking off, each answer priced by the hour in which it was served."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from indexer.domain.answer import Failure, Reason, Row
from indexer.domain.errors import ProviderError, Unreachable
from indexer.domain.mode import Mode
from indexer.domain.question import Question, Request
from indexer.providers import chat
from indexer.providers.chat_calls import ask
from indexer.providers.deepseek import SPEC, is_cheap
from indexer.providers.http import Http
from indexer.providers.keyed import open_keyed
from indexer.providers.spec import Opening

BASE_URL = "https://api.deepseek.com"
_KEY_PAGE = "https://platform.deepseek.com/api_keys"
_DIALECT = chat.Dialect(schema="json_object", extra=lambda _: {"thinking": {"type": "disabled"}})


class DeepSeek:
    """The DeepSeek provider; see `indexer.providers.seam` for what each verb promises."""

    spec = SPEC
    batches = None

    def __init__(self, http: Http, clock: Callable[[], float]) -> None:
        self._http = http
        self._clock = clock

    def model(self) -> str:
        """Return the default model."""
        return SPEC.default_model

    def models(self) -> list[str]:
        """Return the names of the models on offer."""
        return self._http.names()

    def check(self, question: Question) -> str:
        """Nothing is known against any question."""
        return ""

    def ask(self, request: Request) -> Row:
        """Ask one call; an answer that is not the JSON asked for is asked for once more."""
        row = self._once(request)
        if not isinstance(row.outcome, Failure) or row.outcome.reason is not Reason.MALFORMED:
            return row
        try:
            return _together(row, self._once(request))
        except Unreachable as fault:  # perhaps served, so booked as the longest answer; the first one surely was
            return _together(row, _longest(row, request)) if fault.sent else row
        except ProviderError:
            return row

    def _once(self, request: Request) -> Row:
        body = chat.body(request, _DIALECT)
        row = ask(self._http, request.key, body, timeout=self._http.timeouts.ask)
        if row.usage is None:
            return row
        served = Mode.OFF_PEAK if is_cheap(self._clock()) else Mode.INTERACTIVE
        return replace(row, usage=replace(row.usage, mode=served))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _longest(row: Row, request: Request) -> Row:
    """The row as if its answer had filled its room."""
    room = request.max_output_tokens or request.question.settings.max_output_tokens
    return replace(row, usage=row.usage and replace(row.usage, output_tokens=room, cached_tokens=0))


def _together(first: Row, second: Row) -> Row:
    """The second answer, with what both cost."""
    if first.usage is None or second.usage is None:
        return second
    both = replace(
        second.usage,
        input_tokens=first.usage.input_tokens + second.usage.input_tokens,
        output_tokens=first.usage.output_tokens + second.usage.output_tokens,
        cached_tokens=first.usage.cached_tokens + second.usage.cached_tokens,
    )
    return replace(second, usage=both)


def open_deepseek(opening: Opening) -> DeepSeek:
    """Return the provider that the environment describes: DEEPSEEK_API_KEY, DEEPSEEK_BASE_URL (without /v1)."""
    return DeepSeek(open_keyed(opening, SPEC, ("DeepSeek", BASE_URL, _KEY_PAGE)), opening.clock)
