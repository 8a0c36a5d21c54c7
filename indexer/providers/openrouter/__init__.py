"""OpenRouter, one call at a time at whichever company serves it: what is known without a key.

Its batches are not used: they refuse pictures that are sent along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from indexer.domain.mode import Mode
from indexer.providers.prices import Price, parse_price
from indexer.providers.spec import Rank, Spec


@dataclass(frozen=True, slots=True)
class OpenRouterOptions:
    """The table `[openrouter]`: the most that a million tokens may cost, "IN,OUT" in US dollars, and who may serve.

    `data_collection` "deny" leaves out companies that keep what they are sent; `sort` is what they are ordered by.
    """

    max_price: str = "0.30,1.50"
    data_collection: Literal["deny", "allow"] = "deny"
    sort: Literal["price", "throughput", "latency"] = "price"


def dearest(options: Mapping[str, Any]) -> Price:
    """Return the most that any model here can cost: the service is told never to pass it."""
    return parse_price(str(options.get("max_price", OpenRouterOptions().max_price)))


SPEC = Spec(
    name="openrouter",
    rank=Rank.REMOTE_MODEL,
    modes=(Mode.INTERACTIVE,),
    default_model="",
    opens="indexer.providers.openrouter.adapter:open_openrouter",
    key_variables=("OPENROUTER_API_KEY",),
    options=OpenRouterOptions,
    price=dearest,
    automatic=6,
)
