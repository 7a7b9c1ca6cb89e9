"""The sections of the inventory, one file a kind. ``exporter.inventory.inventory`` puts them together."""
