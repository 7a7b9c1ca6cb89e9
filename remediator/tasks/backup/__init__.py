"""backup: makes sets, and proves them."""
