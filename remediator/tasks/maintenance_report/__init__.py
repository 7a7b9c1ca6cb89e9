"""maintenance-report."""
