"""Queries in a language that the default text encoder was not taught: it knows English, and meets others by chance.

A language shows in its small words. Such a query goes by its words alone, unless the photos are described so too.
"""

from __future__ import annotations

import re

from indexer.table.words import terms, tokens
from search.ranking import Statistics

_TELLING = frozenset(
    re.findall(
        r"\w+",
        """
    der das dem und auf ein eine einem einen einer eines vom beim zum zur mit ohne uber neben zwischen hinter vor
    une dans avec aux chez pres devant derriere
    una unos unas junto sobre bajo entre desde hacia para
    gli della delle dello degli nel nella nelle sul sulla dalla
    uma com sem pela pelo
    het een naast zonder achter voor
        """,
    )
)
_SHARED = frozenset(
    re.findall(
        r"\w+",
        "de du des la le les el los las del en et est y un il lo di da do na em um con sin sur au am im sous sans dos",
    )
)
"""Small words that names of places bring into English too: two of them tell."""
_ENGLISH = frozenset(re.findall(r"\w+", "the and of with at from is are to for by on a"))
_SPOKEN = 0.05
"""The share of photos that hold such a word where the library speaks the language."""


def foreign(text: str) -> list[str]:
    """Return the small words that show a query to be in another language than English, none where it seems English."""
    spoken = dict.fromkeys(tokens(text))
    if not _ENGLISH.isdisjoint(spoken):
        return []
    telling = [word for word in spoken if word in _TELLING]
    shared = [word for word in spoken if word in _SHARED]
    return [*telling, *shared] if telling or len(shared) > 1 else []


def unread(text: str, statistics: Statistics) -> bool:
    """Whether the vector of a query by the default encoder says nothing about the photos of a library."""
    small = [term for word in foreign(text) for term in terms(word)]
    most = max((statistics.holders.get(term, 0) for term in small), default=0)
    return bool(small) and most < _SPOKEN * max(1, statistics.sampled)
