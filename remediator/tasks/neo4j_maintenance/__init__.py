"""neo4j-maintenance and neo4j-index-rebuild."""
