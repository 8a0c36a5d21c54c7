"""What both console commands share: start, ending, screen."""
