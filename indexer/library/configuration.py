"""The settings of a library, each with the place that it comes from."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from indexer import providers
from indexer.providers.accounts import TABLE, accounts
from indexer.providers.options import defaults, read_options, refuse_unknown
from indexer.storage.layout import SETTINGS_FILE
from indexer.storage.settings import ENV_PREFIX, Config, read_config


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its value, and where it was set, "default" when nowhere; a provider's own is "table.name"."""

    name: str
    value: Any
    source: str


def settings(folder: Path, environ: Mapping[str, str]) -> Iterator[Setting]:
    """Yield every setting of the library in `folder`; raises `BadSetting` for an unknown or unfit one."""
    config = read_config(folder, environ)
    refuse_unknown(config.tables, providers.spec)
    file = folder / SETTINGS_FILE
    told = tomllib.loads(file.read_text("utf-8")) if file.exists() else {}
    for name in (field.name for field in fields(Config) if field.name != "tables"):
        yield Setting(name, getattr(config, name), _source(name, told, environ, file))
    for spec in providers.specs():
        table = config.tables.get(spec.name, {})
        values = {**defaults(spec), **read_options(spec, table)}
        for option, value in values.items():
            yield Setting(f"{spec.name}.{option}", value, _own_source(spec.name, option, table, environ, file))
    named = config.tables.get(TABLE, {})
    for provider in named:
        further = accounts(config.tables, provider)[1:]
        yield Setting(f"{TABLE}.{provider}", further, _own_source(TABLE, provider, named, environ, file))


def _source(name: str, told: Mapping[str, Any], environ: Mapping[str, str], file: Path) -> str:
    variable = ENV_PREFIX + name.upper()
    return variable if variable in environ else str(file) if name in told else "default"


def _own_source(table: str, option: str, told: Mapping[str, Any], environ: Mapping[str, str], file: Path) -> str:
    variables = (f"{ENV_PREFIX}{table}_{option}".upper(), f"{ENV_PREFIX}{option}".upper())
    named = next((variable for variable in variables if variable in environ), "")
    return named or (str(file) if option in told else "default")
