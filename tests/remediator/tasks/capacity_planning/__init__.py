"""capacity-planning."""
