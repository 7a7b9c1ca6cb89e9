"""Real Neo4j Community servers for tests, of the last 5.x and of a calendar version. Fixtures: plugin.py."""
