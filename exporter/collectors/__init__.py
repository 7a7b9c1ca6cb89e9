"""One file a kind of thing that is measured, and the registry of them."""
