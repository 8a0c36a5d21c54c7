"""A provider's own table of settings, read by the annotations of its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from indexer.domain.errors import BadSetting, UsageError
from indexer.providers import BUILT_IN, accounts
from indexer.providers.spec import Spec

_TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def read_options(spec: Spec, table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings in `table` of captionary.toml, or of variables, as what `spec.options` takes.

    Raises `BadSetting` for a setting that it does not have, or a value that does not fit.
    """
    kinds = get_type_hints(spec.options) if spec.options else {}
    for name in table:
        if name not in kinds:
            known = ", ".join(kinds) or "none"
            raise BadSetting(f"[{spec.name}] has no setting {name!r}", hint=f"known there: {known}")
    return {name: _fit(f"[{spec.name}] {name}", value, kinds[name]) for name, value in table.items()}


_OWN = {"best": {"providers"}, "table": {"uri", "cache_gb"}, "objects": {"renditions"}}
"""Tables of settings that belong to no provider."""


def refuse_unknown(tables: Mapping[str, Mapping[str, Any]], find: Any) -> None:
    """Raise `BadSetting` for a table that belongs to no provider, and for settings that its provider lacks."""
    for name, table in tables.items():
        if name == accounts.TABLE:
            accounts.refuse_unfit(table, find, {each for known in BUILT_IN for each in find(known).key_variables})
            continue
        if set(table) <= _OWN.get(name, set()):
            continue
        try:
            spec = find(name)
        except UsageError as fault:
            variable = f"CAPTIONARY_{name}_{next(iter(table), '')}".upper()
            raise BadSetting(f"there is no setting [{name}] or {variable}", hint=fault.hint) from None
        read_options(spec, table)


def defaults(spec: Spec) -> dict[str, Any]:
    """Return every setting of a provider's table with its default."""
    return {each.name: each.default for each in fields(spec.options)} if spec.options else {}


def _fit(where: str, value: object, kind: Any) -> object:
    if get_origin(kind) is Literal:
        for choice in get_args(kind):
            if value == choice or (isinstance(value, str) and value == str(choice)):
                return choice
        raise BadSetting(f"{where} = {value!r} is not one of its values", hint=f"one of: {_listed(get_args(kind))}")
    if isinstance(value, str) and kind is not str:
        value = _parsed(where, value, kind)
    wanted = (int, float) if kind is float else kind if isinstance(kind, type) else object
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(value)
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise BadSetting(f"{where} = {value!r} is not {_KINDS.get(kind, 'a list')}", hint=f"change {where}")
    return value


def _parsed(where: str, text: str, kind: Any) -> object:
    try:
        if kind is bool:
            return _TRUTH[text.lower()]
        return tuple(text.split(",")) if get_origin(kind) is tuple else kind(text)
    except (ValueError, KeyError, TypeError):
        raise BadSetting(f"{where} = {text!r} is not {_KINDS.get(kind, 'a list')}", hint=f"change {where}") from None


def _listed(choices: tuple[object, ...]) -> str:
    return ", ".join(repr(choice) if choice == "" else str(choice) for choice in choices)
