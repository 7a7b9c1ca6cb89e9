"""Certificates, made once for all tests."""

from pathlib import Path

import pytest

from tests.exporter.web import pki


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that pki.make makes. Not to be changed."""
    return pki.make(tmp_path_factory.mktemp("certificates"))
