"""Characters that texts of files and models must not carry through: each room chooses which, from these classes."""

from __future__ import annotations

CONTROLS = "\x00-\x1f\x7f-\x9f"
"""C0, DEL and C1, as the inside of a character class: a terminal obeys them."""
CONTROLS_WITHIN_LINES = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
"""The same without tab, line feed and carriage return."""
DIRECTIONS = "\u202a-\u202e\u2066-\u2069"
"""They reorder what stands after them, even past the end of a name."""
SEPARATORS = "\u2028\u2029"
"""Line and paragraph separators, which few programs show as such."""
HALVES = "\ud800-\udfff"
"""Halves of surrogate pairs, which no UTF-8 text can hold."""
