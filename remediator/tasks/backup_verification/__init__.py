"""backup-verification: shows what sets are worth."""
