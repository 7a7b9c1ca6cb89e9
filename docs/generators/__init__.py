"""What each generated page of docs/ says: one module a page, each with ``page() -> str``."""
