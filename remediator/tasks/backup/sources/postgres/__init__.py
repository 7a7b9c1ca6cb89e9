"""PostgreSQL servers: each database in the custom format, and what belongs to the server as a whole."""
