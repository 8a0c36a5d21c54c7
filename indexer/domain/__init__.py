"""The nouns and rules that every room speaks; no input or output."""
