"""backup-retention."""
