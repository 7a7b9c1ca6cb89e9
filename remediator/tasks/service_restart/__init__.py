"""service-restart."""
