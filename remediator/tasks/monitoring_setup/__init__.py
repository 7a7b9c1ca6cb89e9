"""monitoring-setup."""
