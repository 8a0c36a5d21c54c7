"""The part of a library that a question is about: all of it, or what lies at some paths."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of the archive a question is about: everything, or what lies at and below `roots`."""

    roots: tuple[bytes, ...] | None = None

    def where(self, column: str = "f.path") -> tuple[str, list[bytes]]:
        """Return a condition on `column` and its parameters."""
        if self.roots is None:
            return "1", []
        if not self.roots:
            return "0", []
        if len(self.roots) > 200:  # a list of files: SQLite's expression depth is limited, its JSON reader is not
            listed = json.dumps([root.hex() for root in self.roots])
            return f"hex({column}) IN (SELECT upper(value) FROM json_each(?))", [listed.encode()]
        parts: list[bytes] = []
        for root in self.roots:
            stem = root.rstrip(b"/")
            parts += [root, stem + b"/", stem + b"0"]
        return "(" + " OR ".join([f"{column} = ? OR ({column} >= ? AND {column} < ?)"] * len(self.roots)) + ")", parts
