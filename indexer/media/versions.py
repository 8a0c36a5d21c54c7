"""Versions of what is read out of files, which the ledger keeps beside it."""

from __future__ import annotations

FACTS_READER = 7
"""What the readers of facts can do. Raised when they learn more: then a run reads unchanged files' facts anew."""
PICTURE_READER = 2
"""What can be opened. Raised when more files are: then a run looks again at those that were refused before."""
DIGEST_VERSION = 1
"""Names the way in which a photo's digest is taken, see `rendition`; it is part of every photo's id."""
