"""Safe file work below a directory handle."""
