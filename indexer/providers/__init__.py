"""Who can describe pictures. A provider is a folder here, or an entry point of another package.

A folder of this package is named in `BUILT_IN`; its `__init__` is light and holds its `Spec`. Other packages name
theirs in the entry point group `captionary.providers`, as `module:SPEC`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from indexer.domain.errors import UsageError
from indexer.domain.nearest import did_you_mean
from indexer.providers.seam import Provider
from indexer.providers.spec import Opening, Spec

BUILT_IN = {
    name: f"indexer.providers.{folder}:{variable}"
    for name, folder, variable in (
        ("local", "local", "SPEC"),
        ("gemini", "gemini", "SPEC"),
        ("openai", "openai", "SPEC"),
        ("anthropic", "anthropic", "SPEC"),
        ("mistral", "mistral", "SPEC"),
        ("openrouter", "openrouter", "SPEC"),
        ("deepseek", "deepseek", "SPEC"),
        ("compatible", "compatible", "SPEC"),
        ("ollama", "compatible", "OLLAMA"),
        ("vllm", "compatible", "VLLM"),
        ("llamacpp", "compatible", "LLAMACPP"),
    )
}
GROUP = "captionary.providers"


def spec(name: str) -> Spec:
    """Return what is known of the provider `name`; raises `UsageError` for an unknown one."""
    if name in BUILT_IN:
        module, _, variable = BUILT_IN[name].partition(":")
        found: Spec = getattr(import_module(module), variable)
        return found
    known = {each.name: each for each in _installed()}
    if name in known:
        return known[name]
    names = [*BUILT_IN, *known]
    raise UsageError(f"there is no provider {name!r}", hint=did_you_mean(name, names) or f"one of: {', '.join(names)}")


def specs() -> list[Spec]:
    """Return all providers, those that come with Captionary first."""
    return [*(spec(name) for name in BUILT_IN), *_installed()]


def open_provider(name: str, opening: Opening) -> Provider:
    """Open a provider by name; raises `KeyMissing` that names the variable, `UsageError` for an unknown name."""
    return spec(name).open(opening)


def automatic(environ: Mapping[str, str]) -> str:
    """Return the provider that a new library gets: the first remote one whose key is set, else `local`."""
    order = sorted((each.automatic, each.name) for each in map(spec, BUILT_IN) if each.automatic is not None)
    return next((name for _, name in order if spec(name).key(environ)), "local")


def key_variables() -> list[str]:
    """Return the variables in which a new library looks for keys, one a provider, in their order."""
    order = sorted((each.automatic, each.key_variables[-1]) for each in map(spec, BUILT_IN) if each.automatic)
    return [variable for _, variable in order]


def _installed() -> Iterator[Spec]:
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        if point.name not in BUILT_IN:
            yield point.load()
