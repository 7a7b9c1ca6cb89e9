"""The dashboards: a module each, with ``board()``."""
