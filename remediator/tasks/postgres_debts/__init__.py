"""What an update of a PostgreSQL server leaves to be done: postgres-collation-refresh, postgres-extension-update."""
