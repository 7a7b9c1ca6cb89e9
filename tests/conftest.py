"""Fixtures that all tests share."""

pytest_plugins = ["tests.dockerd", "tests.postgres_server"]
