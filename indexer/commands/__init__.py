"""The commands of `index`: each parses, makes one library call, and prints."""
