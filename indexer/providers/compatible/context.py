"""What a server of one's own can hold: tokens, so that no prompt is cut in silence, and calls at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from indexer.domain.answer import Usage
from indexer.domain.errors import ProviderError, Refused
from indexer.domain.question import Request
from indexer.providers.http import Http
from indexer.providers.tokens import text_tokens

_HINT = (
    "give it more: OLLAMA_CONTEXT_LENGTH=8192 for ollama serve, --max-model-len for vLLM, -c for llama-server (which"
    " divides it among its slots), the context length in LM Studio; or shorten the prompt with --prompt"
)


def slots_of(http: Http) -> int | None:
    """Return how many calls the server answers at once, as llama-server tells; None where it does not say."""
    return _count(_told(http, f"{_root(http)}/props").get("total_slots"))


def context_of(http: Http, model: str) -> int | None:
    """Return the context of a model that is loaded, in tokens; None where the server does not say."""
    root = _root(http)
    ways: tuple[tuple[str, Callable[[dict[str, Any]], Iterable[object]]], ...] = (
        ("models", lambda told: (each.get("max_model_len") for each in _named(told, "data", model))),
        (f"{root}/props", lambda told: (_inner(told, "default_generation_settings").get("n_ctx"),)),
        (f"{root}/api/ps", lambda told: (each.get("context_length") for each in _named(told, "models", model))),
        (
            f"{root}/api/v0/models",
            lambda told: (each.get("loaded_context_length") for each in _named(told, "data", model)),
        ),
    )
    sizes = (_count(size) for path, read in ways for size in read(_told(http, path)))
    return next(filter(None, sizes), None)


def refuse_small(context: int | None, request: Request, usage: Usage | None = None) -> None:
    """Raise `Refused` where the context is too small: for prompt and answer alone, or by what was counted (`usage`)."""
    room = request.max_output_tokens or request.question.settings.max_output_tokens
    words = text_tokens(request.prompt)
    needed = usage.input_tokens + usage.output_tokens + 1 if usage else words + room
    if context is None or needed <= context:
        return
    raise Refused(
        f"the model {request.question.model} has a context of {context:,} tokens on your server, which is too small:"
        f" the prompt takes about {words:,}, the answer up to {room:,}, and a picture some hundreds more",
        hint=_HINT,
    )


def _root(http: Http) -> str:
    return http.service.base_url.removesuffix("/v1")


def _told(http: Http, path: str) -> dict[str, Any]:
    """What the server says at `path`, nothing where it is another kind of server."""
    try:
        return http.send("look up what the server can hold", "GET", path, timeout=http.timeouts.connect).json("read it")
    except ProviderError:
        return {}


def _count(told: object) -> int | None:
    return told if isinstance(told, int) and not isinstance(told, bool) and told > 0 else None


def _named(told: dict[str, Any], name: str, model: str) -> list[dict[str, Any]]:
    entries = told.get(name)
    found = [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    return [each for each in found if model in (each.get("id"), each.get("name"), each.get("model"))]


def _inner(told: dict[str, Any], name: str) -> dict[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}
