"""Several accounts, or projects, of one service side by side: each has a key and a queue of its own.

A table of captionary.toml names the variables that hold the keys of further accounts, by provider (where a project
stands for the key, those that hold further projects):

    [accounts]
    openai = ["LAB_OPENAI_API_KEY", "PRINT_OPENAI_API_KEY"]

An account is called by its variable, the usual one "". A batch stays with the account that it was packed for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from indexer.domain.errors import BadSetting, KeyMissing, UsageError
from indexer.domain.mode import Mode
from indexer.providers.spec import Spec

TABLE = "accounts"
_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_KEY = "API_KEY"  # what a variable that holds a key is known by where keys are struck out


def accounts(tables: Mapping[str, Mapping[str, Any]], provider: str) -> tuple[str, ...]:
    """Return the accounts to which batches of `provider` may go, the usual one first."""
    told = tables.get(TABLE, {}).get(provider, ())
    named = told.split(",") if isinstance(told, str) else told
    return ("", *dict.fromkeys(filter(None, map(str.strip, named))))


def refuse_unfit(table: Mapping[str, Any], find: Callable[[str], Spec], usual_ones: Collection[str]) -> None:
    """Raise `BadSetting` for accounts of a provider that cannot have several, or that no variable holds the key of.

    `usual_ones` are the variables that hold the usual keys of providers.
    """
    for provider in table:
        where = f"[{TABLE}] {provider}"
        try:
            spec = find(provider)
        except UsageError as fault:
            raise BadSetting(f"{where}: {fault}", hint=fault.hint) from None
        if not spec.key_variables or Mode.BATCH not in spec.modes:
            raise BadSetting(f"{where}: only services with a key and batches can have several accounts", hint="drop it")
        usual, told = spec.key_variables[0], table[provider]
        ending = _KEY if usual.endswith(_KEY) else usual
        if not isinstance(told, str) and not (isinstance(told, list) and all(isinstance(name, str) for name in told)):
            raise BadSetting(f"{where} is not a list of variables", hint=f'such as ["LAB_{usual}"]')
        for number, name in enumerate(accounts({TABLE: table}, provider)[1:], start=1):
            if not _NAME.fullmatch(name) or not name.endswith(ending) or name in usual_ones:
                raise BadSetting(  # without its words: a key may stand where its variable should
                    f"{where}: the name at place {number} is not the variable of a further account",
                    hint=f"name a variable that ends in {ending}, such as LAB_{usual}",
                )


def environ_of(spec: Spec, environ: Mapping[str, str], account: str) -> Mapping[str, str]:
    """Return the environment in which the key of `account` is the provider's; raises `KeyMissing` without one."""
    if not account:
        return environ
    key = environ.get(account, "").strip()
    if not key:
        raise KeyMissing(
            f"no key for an account of {spec.name}: {account} is not set",
            hint=f"set it; or take it out of [{TABLE}], once none of its batches is out",
        )
    return {**environ, **dict.fromkeys(spec.key_variables, key)}
