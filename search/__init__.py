"""Captionary's search: one query, ranked photos."""
