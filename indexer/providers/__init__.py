"""Who can describe pictures. A provider is a folder here, or an entry point of another package.

A folder of this package is named in `BUILT_IN`; its `__init__` is light and holds its `Spec`. Other packages name
theirs in the entry point group `captionary.providers`, as `module:SPEC`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from indexer.domain.errors import UsageError
from indexer.domain.nearest import did_you_mean
from indexer.providers.spec import Spec

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

BUILT_IN = {
    name: f"indexer.providers.{folder}:{variable}"
    for name, folder, variable in (
        ("local", "local", "SPEC"),
        ("gemini", "gemini", "SPEC"),
        ("openai", "openai", "SPEC"),
        ("anthropic", "anthropic", "SPEC"),
        ("mistral", "mistral", "SPEC"),
        ("vertex", "vertex", "SPEC"),
        ("openrouter", "openrouter", "SPEC"),
        ("deepseek", "deepseek", "SPEC"),
        ("compatible", "compatible", "SPEC"),
        ("ollama", "compatible", "OLLAMA"),
        ("vllm", "compatible", "VLLM"),
        ("llamacpp", "compatible", "LLAMACPP"),
        ("lmstudio", "compatible", "LMSTUDIO"),
    )
}
GROUP = "captionary.providers"


def spec(name: str) -> Spec:
    """Return what is known of the provider `name`; raises `UsageError` for an unknown one."""
    if name in BUILT_IN:
        module, _, variable = BUILT_IN[name].partition(":")
        found: Spec = getattr(import_module(module), variable)
        return found
    points = _installed()
    if name in points:
        return _loaded(points[name])
    known = [*BUILT_IN, *points]
    raise UsageError(f"there is no provider {name!r}", hint=did_you_mean(name, known) or f"one of: {', '.join(known)}")


def names() -> list[str]:
    """Return the names of all providers, those that come with Captionary first; loads none of them."""
    return [*BUILT_IN, *_installed()]


def specs() -> list[Spec]:
    """Return all providers, those that come with Captionary first; raises `UsageError` for one that is broken."""
    return [spec(name) for name in names()]


def checker(name: str = "") -> Spec:
    """Return the provider whose batch files are checked: `name`, else the first that can check one without a key.

    Raises `UsageError` where it has no such check.
    """
    order = sorted((each.automatic, each.name) for each in map(spec, BUILT_IN) if each.automatic and each.checks)
    found = spec(name or order[0][1])
    if not found.checks:
        able = ", ".join(each for _, each in order)
        raise UsageError(f"the provider {found.name} has no check of batch files", hint=f"these have: {able}")
    return found


def automatic(environ: Mapping[str, str]) -> str:
    """Return the provider that a new library gets: the first remote one whose key is set, else `local`."""
    order = sorted((each.automatic, each.name) for each in map(spec, BUILT_IN) if each.automatic is not None)
    return next((name for _, name in order if spec(name).key(environ)), "local")


def key_variables() -> list[str]:
    """Return the variables in which a new library looks for keys, one a provider, in their order."""
    order = sorted((each.automatic, each.key_variables[-1]) for each in map(spec, BUILT_IN) if each.automatic)
    return [variable for _, variable in order]


def _installed() -> dict[str, EntryPoint]:
    """The providers of other packages, not loaded yet; none of them may take a name that is built in."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP) if point.name not in BUILT_IN}


def _loaded(point: EntryPoint) -> Spec:
    package = point.dist.name if point.dist else point.module
    hint = f"upgrade the package {package}, or uninstall it"
    try:
        found = point.load()
    except (ImportError, AttributeError) as fault:
        raise UsageError(f"the provider {point.name} cannot be loaded: {fault}", hint=hint) from fault
    if not isinstance(found, Spec) or found.name != point.name:
        raise UsageError(f"{point.value} is not the Spec of a provider named {point.name}", hint=hint)
    return found
