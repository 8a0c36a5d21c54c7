"""The fields of a person's own schema in the form that corrects a photo: how they stand there, and what has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from indexer.domain.answer_fields import FieldKind
from indexer.domain.correction import KIND_WORDS
from search.gallery.desk import first

if TYPE_CHECKING:
    from indexer.ledger.views.known_photo import KnownPhoto

_HINTS = KIND_WORDS | {
    FieldKind.TEXT: "",
    FieldKind.TEXTS: "words, with commas between them",
}


@dataclass(frozen=True, slots=True)
class FormField:
    """A field as a person may write it: its name, its value as text ("" for none), and what may be written."""

    name: str
    text: str
    hint: str

    @property
    def key(self) -> str:
        """Its name in the form."""
        return f"field-{self.name}"


def form_fields(known: KnownPhoto) -> list[FormField]:
    """Return every field that this photo may have, as it stands."""
    kinds = {one.name: one.kind for one in known.known_fields}
    return [FormField(name, _text(known.fields.get(name)), _HINTS[kind]) for name, kind in kinds.items()]


def changed_fields(known: KnownPhoto, form: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return what a person has written otherwise than it stood, None for what was emptied."""
    lists = {one.name for one in known.known_fields if one.kind is FieldKind.TEXTS}
    changed: dict[str, Any] = {}
    for one in form_fields(known):
        written = first(form, one.key).replace("\r\n", "\n")
        if one.key in form and written != one.text.strip():
            changed[one.name] = _value(written, is_list=one.name in lists)
    return changed


def _value(written: str, *, is_list: bool) -> str | list[str] | None:
    if not written:
        return None
    return [word.strip() for word in written.split(",") if word.strip()] if is_list else written


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
