"""What a run of the emulator can be told."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

HOUR = 3600.0
SAMPLES = Path(__file__).parents[3] / "sample_images"


@dataclass(slots=True)
class Settings:
    """Limits, delays and keys; seconds are virtual seconds, sizes are bytes.

    It may be changed while the emulator runs. A job takes its delays from here at the moment it is created.
    """

    pending_seconds: float = 0.05
    running_seconds: float = 0.15
    tier: int = 1
    max_jobs: int = 100
    max_file_bytes: int = 2 * 1024**3
    max_storage_bytes: int = 20 * 1024**3
    max_inline_bytes: int = 20 * 1024**2
    file_life: float = 48 * HOUR
    job_life: float = 48 * HOUR
    result_life: float = 48 * HOUR
    enqueued_tokens: dict[str, int] = field(default_factory=dict)
    """Enqueued-token limit per model, over the published one of the tier."""
    refused_keys: set[str] = field(default_factory=lambda: {"bad-key", "wrong-key"})
    leaked_keys: set[str] = field(default_factory=lambda: {"leaked-key"})
    free_keys: set[str] = field(default_factory=lambda: {"free-tier"})
    no_credit_keys: set[str] = field(default_factory=lambda: {"no-credit"})
    projects: dict[str, str] = field(default_factory=dict)
    """Project of a key; a key that is not here is a project of its own."""
    free_requests: int = 0
    """Single calls a free-tier key may make in a virtual minute; 0 = as many as it likes."""
    shuffle_window: int = 64
    """Result lines leave in random order within this window; 1 keeps the input order."""
    logged_body_bytes: int = 65_536
    batch_ignores: str = ""
    """"response_schema" or "response_json_schema": batch rows that ask by it get JSON of another shape."""
    input_read_at_start: bool = True
    """The input file must still exist when the job starts; otherwise the job fails."""

    def project(self, key: str) -> str:
        """Return the project that owns what `key` makes."""
        return self.projects.get(key, "project-" + fingerprint(key))

    def change(self, **values: object) -> None:
        """Set fields by name; an unknown name is a `ValueError`."""
        known = {item.name: item for item in dataclasses.fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"no such setting: {name}")
            setattr(self, name, set(value) if isinstance(value, list) else value)


def fingerprint(key: str) -> str:
    """Return the name under which a key stands in books and logs; the key itself is never stored."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]
