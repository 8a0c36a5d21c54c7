"""A person's correction of what is said about a photo: it stands above every answer, and no model replaces it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from indexer.domain.answer import Answer
from indexer.domain.errors import UsageError
from indexer.domain.prompts import ENGLISH_FIELD
from indexer.domain.tags import distinct

LONGEST = 10_000
"""Letters that a description may have."""
MOST_TAGS = 200


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person says instead: the description, the tags; None leaves those of the best answer."""

    description: str | None = None
    tags: tuple[str, ...] | None = None


def make_correction(description: str | None, tags: Iterable[str] | None) -> Correction:
    """Return the correction that a person wishes, in plain spelling; raises `UsageError` where it cannot be kept."""
    if isinstance(tags, str):
        raise UsageError("tags are given as a list", hint=f"write [{tags!r}]")
    if description is None and tags is None:
        raise UsageError("nothing is corrected", hint="give a description, tags, or both")
    plain = None if description is None else _plain(description).strip()
    if plain is not None and len(plain) > LONGEST:
        raise UsageError(f"the description is longer than {LONGEST:,} letters", hint="shorten it")
    named = None if tags is None else distinct(map(_plain, tags))
    if named is not None and len(named) > MOST_TAGS:
        raise UsageError(f"there are more than {MOST_TAGS} tags", hint="leave some out")
    return Correction(plain, named)


def corrected(answer: Answer | None, correction: Correction | None, *, measured: bool = False) -> Answer | None:
    """Return `answer` as the person has corrected it, who may have spoken where nobody has answered.

    `measured`: the answer comes of pixels alone, and its sentence does not stand beside a person's words.
    """
    if correction is None:
        return answer
    known = answer or Answer("")
    if correction.description is not None:
        fields = {name: value for name, value in known.fields.items() if name != ENGLISH_FIELD}
        known = replace(known, description=correction.description, fields=fields)
    elif measured:
        known = replace(known, description="")
    return known if correction.tags is None else replace(known, tags=correction.tags)


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
