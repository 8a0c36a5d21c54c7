"""A person's correction of what is said about a photo: it stands above every answer, and no model replaces it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from indexer.domain.answer import Answer
from indexer.domain.answer_fields import Field, FieldKind, fitted
from indexer.domain.errors import UsageError
from indexer.domain.prompts import ENGLISH_FIELD
from indexer.domain.tags import distinct

LONGEST = 10_000
"""Letters that a description may have."""
MOST_TAGS = 200
KIND_WORDS = {
    FieldKind.INTEGER: "a whole number",
    FieldKind.NUMBER: "a number",
    FieldKind.BOOLEAN: "yes or no",
    FieldKind.TEXT: "a text",
    FieldKind.TEXTS: "a list of words",
}
"""What a value of each kind is, to whoever writes one."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person says instead: the description, the tags; None leaves those of the best answer.

    `fields` are those of a schema of one's own that are corrected, by name; None in it says that a field has no value.
    """

    description: str | None = None
    tags: tuple[str, ...] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    def over(self, before: Correction) -> Correction:
        """Return this correction made after `before`: what it leaves out stays as it was."""
        return Correction(
            before.description if self.description is None else self.description,
            before.tags if self.tags is None else self.tags,
            {**before.fields, **self.fields},
        )


def make_correction(
    description: str | None,
    tags: Iterable[str] | None,
    fields: Mapping[str, Any] | None = None,
    known: Iterable[Field] = (),
) -> Correction:
    """Return the correction that a person wishes, in plain spelling; raises `UsageError` where it cannot be kept.

    `known` are the fields that may be corrected; a value has their type, or is written so that only one is meant.
    """
    if isinstance(tags, str):
        raise UsageError("tags are given as a list", hint=f"write [{tags!r}]")
    if description is None and tags is None and not fields:
        raise UsageError("nothing is corrected", hint="give a description, tags, or fields")
    plain = None if description is None else _plain(description).strip()
    if plain is not None and len(plain) > LONGEST:
        raise UsageError(f"the description is longer than {LONGEST:,} letters", hint="shorten it")
    named = None if tags is None else distinct(map(_plain, tags))
    if named is not None and len(named) > MOST_TAGS:
        raise UsageError(f"there are more than {MOST_TAGS} tags", hint="leave some out")
    known = list(known)
    return Correction(plain, named, {name: _typed(name, value, known) for name, value in (fields or {}).items()})


def corrected(answer: Answer | None, correction: Correction | None, *, measured: bool = False) -> Answer | None:
    """Return `answer` as the person has corrected it, who may have spoken where nobody has answered.

    `measured`: the answer comes of pixels alone, and its sentence does not stand beside a person's words.
    """
    if correction is None:
        return answer
    known = answer or Answer("")
    known = replace(known, fields=corrected_fields(known.fields, correction))
    if correction.description is not None:
        fields = {name: value for name, value in known.fields.items() if name != ENGLISH_FIELD}
        known = replace(known, description=correction.description, fields=fields)
    elif measured:
        known = replace(known, description="")
    return known if correction.tags is None else replace(known, tags=correction.tags)


def corrected_fields(fields: Mapping[str, Any], correction: Correction | None) -> Mapping[str, Any]:
    """Return the fields of an answer as the person has corrected them."""
    if correction is None or not correction.fields:
        return fields
    return {name: value for name, value in {**fields, **correction.fields}.items() if value is not None}


def _typed(name: str, value: object, known: Iterable[Field]) -> Any:
    kinds = [one.kind for one in known if one.name == name]
    if not kinds:
        names = ", ".join(dict.fromkeys(one.name for one in known))
        raise UsageError(f"no schema of yours has the field {name!r}", hint=f"its fields are: {names or 'none'}")
    if value is None:
        return None
    if isinstance(value, str) and len(value) > LONGEST:
        raise UsageError(f"{name} is longer than {LONGEST:,} letters", hint="shorten it")
    told = _plain(value).strip() if isinstance(value, str) else value
    found = next((fit for kind in reversed(kinds) if (fit := fitted(told, kind)) is not None), None)
    if found is None:
        raise UsageError(f"{name} = {value!r} is not {KIND_WORDS[kinds[-1]]}", hint="write it so, or leave it empty")
    return found


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
