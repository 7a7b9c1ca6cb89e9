"""One file a check, and the registry of them."""
