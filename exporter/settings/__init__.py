"""The sections of the inventory, one file a kind. ``exporter.config`` puts them together."""
