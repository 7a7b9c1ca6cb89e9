"""Which container or service the name in an alert's label means."""

import pytest

from exporter.inventory.services import Probe, Service
from remediator.config.remedies import Remedy
from remediator.decide.decide import by_container
from remediator.model.decision import Selection
from remediator.tasks.service_restart.task import target_names

RESTART = {"upkeeper.restart": "true"}


def service(name: str, container: str | None) -> Service:
    return Service(name=name, container=container, probes=[Probe(url="tcp://127.0.0.1:1")])


@pytest.mark.parametrize(
    ("label", "value", "means"),
    [
        ("container", "db", "container:db"),
        ("name", "db", "container:db"),
        ("target", "db", "db"),
        ("container", "web", "web"),
        ("container", "elsewhere", "elsewhere"),
    ],
)
def test_a_label_of_containers_means_the_container(label: str, value: str, means: str) -> None:
    remedy = Remedy(name="r", match=['alertname="X"'], task="service-restart", target_label=label)
    known = {"db", "pg", "web", "container:db"}

    assert by_container(Selection(remedy, value), known).target == means


def test_a_fixed_target_stays_what_it_is() -> None:
    remedy = Remedy(name="r", match=['alertname="X"'], task="service-restart", target="db")
    assert by_container(Selection(remedy, "db"), {"db", "container:db"}).target == "db"


@pytest.mark.parametrize(
    ("services", "labels", "targets"),
    [
        ([], {}, []),
        ([("db", "db")], {"db": RESTART}, ["db"]),
        ([("site", "web")], {"web": {}, "other": {}}, ["site", "web"]),
        ([("db", "pg")], {"pg": {}}, ["db", "pg"]),
        ([("db", "pg")], {"pg": {}, "db": {}}, ["db", "pg", "container:db"]),
        ([("db", "pg"), ("web", "db")], {}, ["db", "web", "pg", "container:db"]),
        ([("db", None)], {"db": RESTART}, ["db"]),
        ([("db", None)], {"db": {}}, []),
        ([], {"b": RESTART, "a": RESTART, "c": {"upkeeper.restart": "yes"}}, ["a", "b"]),
    ],
)
def test_targets(services: list[tuple[str, str | None]], labels: dict[str, dict[str, str]], targets: list[str]) -> None:
    assert target_names({name: service(name, container) for name, container in services}, labels) == targets
