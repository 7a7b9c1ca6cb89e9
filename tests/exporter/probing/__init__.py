"""Probes of services."""
