"""Every error that is foreseen has one base, so that whoever runs a task need not know the clients."""

import pytest

from exporter.backups.restic import ResticFailed
from exporter.backups.results import ResultsBroken
from exporter.base.errors import UpkeeperError
from exporter.base.programs import CommandFailed
from exporter.base.secretfile import SecretUnreadable
from exporter.base.threads import StillStuck
from exporter.configfile.problem import ConfigError
from exporter.docker.engine import DockerUnavailable, EngineRefused
from exporter.findings.files import Unreadable
from exporter.findings.program_checks import ToolFailed
from exporter.neo4j.driver import Neo4jRefused, Neo4jTooSlow, Neo4jUnavailable
from exporter.postgres.session import PostgresUnavailable, QueryRefused
from exporter.probing.failure import ProbeFailure


@pytest.mark.parametrize(
    "error",
    [
        CommandFailed("why"),
        ConfigError([]),
        DockerUnavailable("why"),
        EngineRefused(409, "why"),
        Neo4jRefused("why"),
        Neo4jTooSlow("why"),
        Neo4jUnavailable("why"),
        PostgresUnavailable("why"),
        ProbeFailure("why"),
        QueryRefused("why"),
        ResticFailed("why"),
        ResultsBroken("why"),
        SecretUnreadable("why"),
        StillStuck("why"),
        ToolFailed("why"),
        Unreadable("/file", "why"),
    ],
)
def test_one_base(error: Exception) -> None:
    assert isinstance(error, UpkeeperError)


def test_an_engine_that_refuses_is_an_os_error_as_that_of_the_library_is() -> None:
    error = EngineRefused(409, "in use")
    assert isinstance(error, OSError)
    assert (str(error), error.status_code) == ("in use", 409)
