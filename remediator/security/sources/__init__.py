"""Where findings come from, a file for each source."""
