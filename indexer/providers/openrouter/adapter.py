"""OpenRouter at work: calls under a price, with the schema enforced, booked at what the service says they cost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from indexer.domain.answer import Failure, Reason, Row, Usage
from indexer.domain.errors import BadSetting, KeyRefused, UsageError
from indexer.domain.question import Question, Request
from indexer.providers import chat
from indexer.providers.answer import one_line
from indexer.providers.chat_calls import ask
from indexer.providers.http import Http
from indexer.providers.keyed import open_keyed
from indexer.providers.openrouter import SPEC, OpenRouterOptions
from indexer.providers.prices import Price, parse_price
from indexer.providers.spec import Opening
from indexer.providers.strict_schema import strict

BASE_URL = "https://openrouter.ai/api/v1"
_KEY_PAGE = "https://openrouter.ai/settings/keys"
_MILLION = 1_000_000
_NEEDED = frozenset({"structured_outputs", "response_format"})


class OpenRouter:
    """The OpenRouter provider; see `indexer.providers.seam` for what each verb promises."""

    spec = SPEC
    batches = None

    def __init__(self, http: Http, options: OpenRouterOptions) -> None:
        self._http = http
        self._options = options
        self._most = parse_price(options.max_price)
        self._dialect = chat.Dialect(extra=self._extra)

    def models(self) -> list[str]:
        """Return the names of the models on offer."""
        return self._http.names()

    def check(self, question: Question) -> str:
        """Return why every request would be refused, "" when nothing is known against it."""
        try:
            strict(question.schema)
        except BadSetting as fault:
            return str(fault)
        return ""

    def model(self) -> str:
        """Return the cheapest model that takes pictures, keeps to schemas and stays under the price."""
        found = self._http.get("list the models", "models")
        entries = found.get("data")
        fitting = list(_fitting(entries if isinstance(entries, list) else [], self._most))
        if not fitting:
            raise UsageError(
                f"no model with pictures and schemas costs at most ${self._most.input:g} in and "
                f"${self._most.output:g} out per million tokens",
                hint="raise max_price under [openrouter] in captionary.toml, or name a model with --model",
            )
        return min(fitting)[1]

    def ask(self, request: Request) -> Row:
        """Ask one call; what a company's moderation flags is refused with the status of a bad key."""
        body = chat.body(request, self._dialect)
        try:
            return ask(self._http, request.key, body, timeout=self._http.timeouts.ask)
        except KeyRefused as refusal:
            if not re.search(r"moderation|flagged", str(refusal), re.IGNORECASE):
                raise
            return Row(request.key, Failure(Reason.BLOCKED, one_line(str(refusal))), Usage(0, 0, usd=0.0))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _extra(self, request: Request) -> Mapping[str, Any]:
        return {
            "provider": {
                "sort": self._options.sort,
                "max_price": {"prompt": self._most.input, "completion": self._most.output},
                "require_parameters": True,
                "data_collection": self._options.data_collection,
            },
            "usage": {"include": True},
        }


def _fitting(entries: list[Any], most: Price) -> Iterator[tuple[float, str]]:
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str) or entry["id"].endswith(":batch"):
            continue
        shape, prices = entry.get("architecture") or {}, entry.get("pricing") or {}
        takes = shape.get("input_modalities") if isinstance(shape, dict) else None
        knows = entry.get("supported_parameters")
        try:
            price = Price(float(prices["prompt"]) * _MILLION, float(prices["completion"]) * _MILLION)
        except (KeyError, TypeError, ValueError):
            continue
        sees = "image" in (takes if isinstance(takes, list) else [])
        keeps = isinstance(knows, list) and any(needed in knows for needed in _NEEDED)
        cheap = 0 <= price.input <= most.input and 0 <= price.output <= most.output
        if sees and keeps and cheap:
            yield price.of(1_000, 200), entry["id"]


def open_openrouter(opening: Opening) -> OpenRouter:
    """Return the provider that the environment describes: OPENROUTER_API_KEY, OPENROUTER_BASE_URL (with /api/v1)."""
    http = open_keyed(opening, SPEC, ("OpenRouter", BASE_URL, _KEY_PAGE))
    return OpenRouter(http, OpenRouterOptions(**opening.options))
