"""Real Neo4j servers for tests: Community, of the last 5.x and of a calendar version. See plugin.py for the fixtures."""
