"""Versions of what is read out of files, which the ledger keeps beside it."""

from __future__ import annotations

FACTS_READER = 2
"""What the readers of facts can do. Raised when they learn more: then a run reads unchanged files' facts anew."""
