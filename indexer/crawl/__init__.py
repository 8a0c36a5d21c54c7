"""Folders to files, files to photos."""
