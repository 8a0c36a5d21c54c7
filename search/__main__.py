"""`python -m search` is `search`."""

from indexer.console.start import search

search()
