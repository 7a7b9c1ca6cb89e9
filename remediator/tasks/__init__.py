"""The maintenance tasks: one folder a family, and the registry."""
