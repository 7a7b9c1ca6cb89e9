"""How databases of SQLite are measured."""
