"""The library for other programs and for people."""
