"""health-check."""
