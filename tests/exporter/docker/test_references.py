"""Which containers a container names."""

import pytest

from exporter.docker.references import joined_containers, used_containers


@pytest.mark.parametrize(
    ("host", "joined", "used"),
    [
        ({}, {}, set()),
        ({"NetworkMode": "none", "PidMode": "", "IpcMode": "private", "VolumesFrom": None, "Links": None}, {}, set()),
        ({"NetworkMode": "container:65e0"}, {"network": "65e0"}, {"65e0"}),
        ({"NetworkMode": "container-net", "PidMode": "host"}, {}, set()),
        (
            {"NetworkMode": "container:a", "PidMode": "container:b", "IpcMode": "container:c"},
            {"network": "a", "process namespace": "b", "shared memory": "c"},
            {"a", "b", "c"},
        ),
        ({"VolumesFrom": ["data:ro", "/more", "third:rw,z"]}, {}, {"data", "more", "third"}),
        ({"Links": ["/db:/web/database", "cache"]}, {}, {"db", "cache"}),
        ({"NetworkMode": "container:"}, {"network": ""}, set()),
    ],
)
def test_references(host: dict[str, object], joined: dict[str, str], used: set[str]) -> None:
    assert joined_containers(host) == joined
    assert used_containers(host) == used
