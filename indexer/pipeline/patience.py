"""How long a service may be away before a waiting command gives up."""

from __future__ import annotations

from indexer.pipeline.session import Session

_PATIENCE = 30.0  # a service that is away for longer ends the command; the state is kept
_PATIENCE_AT_SERVICE = 6 * 3600.0  # while jobs run there, a night's outage is no reason to leave


class Patience:
    """How long a service may be away before a waiting command gives up."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._since: float | None = None

    def renew(self) -> None:
        """The service answered."""
        self._since = None

    def is_spent(self, fault: Exception, at_service: bool) -> bool:
        """Say whether to give up after `fault`; tells a person once that it waits."""
        now = self._session.clock.time()
        if self._since is None:
            self._since = now
            self._session.watcher.note(f"{fault}; trying again")
        return now - self._since > (_PATIENCE_AT_SERVICE if at_service else _PATIENCE)
