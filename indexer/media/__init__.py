"""One picture file: what it is, what it shows, and what it says of itself."""
