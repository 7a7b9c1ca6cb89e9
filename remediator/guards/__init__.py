"""The reasons that can block a run."""
