"""Fixtures that all tests share."""

pytest_plugins = ["tests.order", "tests.dockerd", "tests.neo4j_server.plugin", "tests.postgres_server"]
