"""Conditions on a person's own answer fields, `people>=2`: parsed, fitted to the columns, and compiled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.domain.answer_fields import NAME, Field, FieldKind, fitted
from indexer.domain.errors import UsageError
from indexer.table.dataset import quoted

_CONDITION = re.compile(rf"({NAME.pattern})\s*(<=|>=|!=|==?|<|>|~)(.*)", re.DOTALL)
_EQUALITY = frozenset({"=", "!="})
_ORDER = frozenset({"<", "<=", ">", ">="})
_MEANT = {
    FieldKind.INTEGER: _EQUALITY | _ORDER,
    FieldKind.NUMBER: _EQUALITY | _ORDER,
    FieldKind.BOOLEAN: _EQUALITY,
    FieldKind.TEXT: _EQUALITY | _ORDER | {"~"},
    FieldKind.TEXTS: _EQUALITY,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of a field: `sign` is one of = != < <= > >= and ~, which means contains."""

    name: str
    sign: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}{self.sign}{self.value}"


def parse(texts: Sequence[str]) -> tuple[Condition, ...]:
    """Read conditions as people write them; raises `UsageError`."""
    if isinstance(texts, str):
        raise UsageError("conditions are given as a list", hint=f"write [{texts!r}]")
    return tuple(map(_parsed, texts))


def _parsed(text: str) -> Condition:
    found = _CONDITION.fullmatch(text.strip())
    if not found:
        hint = "for example people>=2, document=receipt, shop~deli"
        raise UsageError(f"{text!r} is not a condition on a field", hint=hint)
    name, sign, value = found.groups()
    return Condition(name, "=" if sign == "==" else sign, value.strip())


def compiled(conditions: Iterable[Condition], fields: Sequence[Field]) -> list[str]:
    """Return the conditions in the filter language of a table with these fields; raises `UsageError`.

    A photo whose answer lacks a field meets no condition on it, not even `!=`.
    """
    return [_compiled(condition, fields) for condition in conditions]


def _compiled(condition: Condition, fields: Sequence[Field]) -> str:
    named = [field for field in fields if field.name == condition.name]
    if not named:
        known = ", ".join(sorted({field.name for field in fields}))
        hint = f"there are: {known}" if known else "index with a --schema of your own: its fields become filters"
        raise UsageError(f"no photo here was asked for a field {condition.name!r}", hint=hint)
    counted = [field for field in named if field.kind in (FieldKind.INTEGER, FieldKind.NUMBER)]
    if condition.sign in _ORDER and counted:
        named = counted  # what somebody once put in words is neither more nor less than a number
    parts = [part for field in named if (part := _part(field, condition))]
    if not parts:
        kinds = ", ".join(field.kind for field in named)
        raise UsageError(
            f"{condition}: a field of type {kinds} cannot be compared this way", hint="see search --help, --where"
        )
    return f"({' OR '.join(parts)})"


def _part(field: Field, condition: Condition) -> str | None:
    sign, column = condition.sign, f"`{field.column}`"
    if sign not in _MEANT[field.kind]:
        return None
    value = fitted(condition.value, FieldKind.NUMBER if field.kind is FieldKind.INTEGER else field.kind)
    if value is None:
        return None
    if field.kind is FieldKind.TEXTS:
        has = f"array_has({column}, {quoted(value[0])})"
        return f"({column} IS NOT NULL AND {has if sign == '=' else f'NOT {has}'})"
    if field.kind is FieldKind.TEXT:
        word = quoted(value.lower())
        told = f"contains(lower({column}), {word})" if sign == "~" else f"lower({column}) {sign} {word}"
    elif field.kind is FieldKind.INTEGER:
        told = f"CAST({column} AS DOUBLE) {sign} {value!r}"  # so that people>=2.5 means what it says
    else:
        told = f"{column} {sign} {_literal(value)}"
    return f"({column} IS NOT NULL AND {told})"


def _literal(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
