"""`index compare`: the names of routes turned into what is asked of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from indexer.domain.errors import UsageError
from indexer.domain.mode import Mode
from indexer.library.routes import Offer

_MOST = 6
_USUAL = 3  # routes that are compared where nobody names any


def read_route(text: str) -> dict[str, Any]:
    """Return the options of a route such as "openai", "openai:flex", "gemini:gemini-2.5-flash" or with both."""
    provider, _, rest = text.strip().partition(":")
    model, _, last = rest.rpartition(":")
    if not provider:
        raise UsageError(f"{text!r} is not a route", hint="write PROVIDER, PROVIDER:MODEL or PROVIDER:MODEL:MODE")
    if last in set(Mode):
        return {"provider": provider, "mode": last, **({"model": model} if model else {})}
    return {"provider": provider, **({"model": rest} if rest else {})}


def chosen_routes(named: Sequence[str], offer: Offer) -> list[dict[str, Any]]:
    """Return the options of the routes that are `named`, else of the cheapest usable one of some providers."""
    found = [read_route(each) for each in named if each.strip()]
    if not found:
        usable = [route for route in offer.routes if route.usable and not route.picks]
        first = {route.provider: route.model for route in reversed(usable)}
        order = list(dict.fromkeys(route.provider for route in usable))[:_USUAL]
        found = [{"provider": name, "model": first[name]} for name in order]
    if len(found) < 2:
        raise UsageError("a comparison needs two routes or more", hint="--routes gemini,openai; index quote PATH --all")
    if len(found) > _MOST:
        raise UsageError(f"{len(found)} routes are too many to compare", hint=f"name {_MOST} at most")
    if len({tuple(sorted(each.items())) for each in found}) < len(found):
        raise UsageError("a route is named twice", hint="name each of them once")
    return found
