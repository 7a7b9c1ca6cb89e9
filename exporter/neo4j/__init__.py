"""One Neo4j server: its connection, what it is asked, what the answers say, and the figures made of them."""
