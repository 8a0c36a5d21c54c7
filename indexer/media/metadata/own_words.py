"""What Captionary wrote into a sidecar, so that its words are never taken for a person's.

Beside dc:description and dc:subject, properties of our own say which words in them are ours. Whatever is there and
not said to be ours, a person wrote. Keywords and hierarchies that a new sidecar repeats from inside its picture, lest
it hide them from other programs, are `carried`: as long as they stand unchanged, the picture itself speaks for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from indexer.domain.characters import normal
from indexer.media.metadata.xmp_packet import OURS

DESCRIPTION, SUBJECT, CARRIED, CARRIED_TREE = NAMES = tuple(
    f"{OURS}{name}" for name in ("description", "subject", "carried", "carriedTree")
)


@dataclass(frozen=True, slots=True)
class Written:
    """What we wrote; `subject` also holds words of ours that a person took out since."""

    description: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()
    carried_tree: tuple[str, ...] = ()

    def captions(self, found: Iterable[str]) -> tuple[str, ...]:
        """Return those of the descriptions `found` that a person wrote."""
        return _without(found, self.description)

    def keywords(self, found: Iterable[str]) -> tuple[str, ...]:
        """Return the keywords `found` that a person put into this sidecar; () when it only repeats the picture's."""
        return () if self.only_carries(found) else _without(found, self.subject)

    def keywords_in_tree(self, found: Iterable[str], sign: str) -> tuple[str, ...]:
        """Return the hierarchical keywords `found`, steps joined by `sign`, that a person wrote; ours have one step."""
        ours = alike(self.subject)
        return tuple(text for text in found if sign in text or same(text) not in ours)

    def only_carries_tree(self, found: Iterable[str]) -> bool:
        """Say whether, but for our own words, the hierarchies `found` are those that we carried over."""
        return alike(_without(found, self.subject)) == alike(self.carried_tree)

    def only_carries(self, found: Iterable[str]) -> bool:
        """Say whether, but for our own words, the keywords `found` are those that we carried over."""
        return alike(_without(found, self.subject)) == alike(self.carried)


def same(text: str) -> str:
    """Return what two texts share when only spaces or the composition of letters differ: programs rewrite both."""
    return normal("NFC", " ".join(text.split()))


def alike(texts: Iterable[str]) -> frozenset[str]:
    """Return `texts` as a set in which such texts are one."""
    return frozenset(map(same, texts))


def _without(texts: Iterable[str], ours: Iterable[str]) -> tuple[str, ...]:
    dropped = alike(ours)
    return tuple(text for text in texts if same(text) not in dropped)
