"""From an alert and the remedies to a decision."""
