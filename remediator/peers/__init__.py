"""Prometheus and Alertmanager: where they are, and what they are asked."""
