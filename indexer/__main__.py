"""`python -m indexer` is `index`."""

from indexer.console.start import index

index()
