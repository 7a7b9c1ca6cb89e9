"""Forecasts of what will be full."""
