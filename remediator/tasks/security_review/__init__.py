"""security-review."""
