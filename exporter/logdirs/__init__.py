"""How the size of a log directory is read, and what changed in it."""
