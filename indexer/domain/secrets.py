"""Which variables of an environment hold keys, by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAMES = re.compile(r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS)(?:_|$)", re.IGNORECASE)


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without keys: what a process that decodes foreign files may know."""
    return {name: value for name, value in environ.items() if not _NAMES.search(name)}
