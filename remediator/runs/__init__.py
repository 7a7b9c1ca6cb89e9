"""The steps of a run, and its outcome."""
