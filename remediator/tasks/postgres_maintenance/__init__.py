"""postgres-maintenance."""
