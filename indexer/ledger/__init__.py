"""The ledger: what is known of files, photos, work, money and jobs, in one SQLite file.

Each module holds the named transitions and questions of one subject; nobody else writes SQL.
"""

from indexer.ledger.store import Ledger

__all__ = ["Ledger"]
