"""Databases of Neo4j as a stream of lines of our own: how one is exported, read, and loaded into an empty database."""
