"""PostgreSQL servers: one connection each, the queries, and what their rows mean."""
