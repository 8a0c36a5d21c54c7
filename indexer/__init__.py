"""Captionary's indexer: a folder of pictures becomes a library that can be searched."""
