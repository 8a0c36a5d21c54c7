"""The way to a service whose key and address stand in the environment, as NAME_API_KEY and NAME_BASE_URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from indexer.domain.errors import KeyMissing
from indexer.providers.http import Http, Service, Timeouts, checked_key, checked_url
from indexer.providers.spec import Opening, Spec


def bearer(key: str) -> dict[str, str]:
    """Return the headers by which most services know their user."""
    return {"Authorization": f"Bearer {key}"}


def open_keyed(
    opening: Opening,
    spec: Spec,
    service: tuple[str, str, str],
    headers: Callable[[str], Mapping[str, str]] = bearer,
) -> Http:
    """Return the way to `service`: its name for people, its usual address, and the page where keys are to be had.

    Raises `KeyMissing` that names the variable. `headers` carry the key.
    """
    name, base_url, key_page = service
    variable = spec.key_variables[0]
    key, hint = spec.key(opening.environ), f"get one at {key_page}, then: export {variable}=..."
    if not key:
        raise KeyMissing(f"no key for {name}: {variable} is not set", hint=hint)
    address = f"{variable.removesuffix('_API_KEY')}_BASE_URL"
    url = checked_url(address, opening.environ.get(address, ""), base_url)
    told = headers(checked_key(name, key, hint))
    return Http(Service(name, url, key, told, hint), Timeouts(), opening.sleep)
