"""From Alertmanager's request to stored alerts."""
