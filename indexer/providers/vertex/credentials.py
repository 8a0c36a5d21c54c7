"""Google's application default credentials: found by google-auth, renewed when they run out, shown to nobody."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from indexer.domain.errors import BadSetting, KeyMissing, KeyRefused, ProviderError, Unreachable
from indexer.providers.answer import one_line

LOGIN = "run: gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS to a key file"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_FILE = "GOOGLE_APPLICATION_CREDENTIALS"


class Credentials:
    """What signs requests; found when first used. Safe to share between threads."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._file = environ.get(_FILE, "").strip()
        self._lock = threading.Lock()
        self._held: Any = None
        self._request: Any = None

    def headers(self) -> Mapping[str, str]:
        """Return the headers of a request, with a token that is still good; raises `KeyMissing` or `KeyRefused`."""
        try:
            from google.auth import exceptions
            from google.auth.transport.requests import Request
        except ImportError:
            raise BadSetting(
                "the provider vertex needs google-auth", hint="pip install '.[vertex]' in the folder of Captionary"
            ) from None
        signed: dict[str, str] = {}
        with self._lock:
            try:
                if self._held is None:
                    self._request = Request()
                    self._held = self._found()
                if not self._held.valid:
                    self._held.refresh(self._request)
                self._held.apply(signed)
            except (exceptions.GoogleAuthError, ValueError, OSError) as fault:
                error = _translated(fault)
            else:
                return {_spelt(name): value for name, value in signed.items()}
        raise error

    def _found(self) -> Any:
        """A file that the environment names counts; else what google-auth finds on this machine."""
        import google.auth

        if self._file:
            held, _ = google.auth.load_credentials_from_file(self._file, scopes=[_SCOPE])  # type: ignore[no-untyped-call]
            return held
        held, _ = google.auth.default(scopes=[_SCOPE])
        return held


def _spelt(name: str) -> str:
    return "Authorization" if name.lower() == "authorization" else name


def _translated(fault: Exception) -> ProviderError:
    """Return our error for what google-auth raised, without its exception, which may hold a token."""
    from google.auth import exceptions

    words = one_line(str(fault.args[0] if fault.args else fault))
    if isinstance(fault, exceptions.TransportError) or getattr(fault, "retryable", False):
        return Unreachable(
            f"Google's sign-in cannot be reached: {words}; nothing was sent",
            hint="check the network, then run again",
            sent=False,
        )
    if isinstance(fault, exceptions.RefreshError):
        return KeyRefused(f"Google refused the credentials: {words}", hint=LOGIN)
    return KeyMissing(f"there are no Google credentials: {words}", hint=LOGIN)
