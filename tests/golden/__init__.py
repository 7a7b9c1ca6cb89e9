"""What the collectors export of recorded input, for the golden exposition."""
