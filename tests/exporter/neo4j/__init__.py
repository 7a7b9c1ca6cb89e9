"""Neo4j servers."""
