"""What the remedies would have done about the alerts that Prometheus remembers."""
