"""What a run would do and cost, and the yes to it."""
