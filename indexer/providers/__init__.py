"""Where providers are opened, by name; the only place that knows them all."""

from __future__ import annotations

from collections.abc import Mapping

from indexer.domain.errors import KeyMissing, UsageError
from indexer.providers.seam import Account, Provider

NAMES = ("local", "gemini")

_STANDING = {"local": 10}
_REMOTE = 30


def open_provider(name: str, environ: Mapping[str, str], account: Account = Account()) -> Provider:
    """Open a provider by name; raises `KeyMissing` that names the variable, `UsageError` for an unknown name."""
    if name == "local":
        from indexer.providers.local import Local

        return Local()
    if name == "gemini":
        from indexer.providers.gemini import open_gemini

        return open_gemini(environ, account)
    raise UsageError(f"no provider is called {name!r}", hint=f"one of: {', '.join(NAMES)}")


def automatic(environ: Mapping[str, str]) -> str:
    """Return the provider that a new library gets: the first remote one whose key is set, else `local`."""
    try:
        return open_provider("gemini", environ).name
    except KeyMissing:
        return "local"


def standing(name: str) -> int:
    """Return how an answer of this provider ranks: 10 pixels only, 30 a remote model; higher replaces lower."""
    return _STANDING.get(name, _REMOTE)
