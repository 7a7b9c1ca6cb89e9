"""Which remedies may run a task on a target, and by whose settings a run is judged that no alert asked for."""

import pytest

from remediator.config.guards import GuardSettings
from remediator.config.remedies import Remedy
from remediator.decide.remedies import Remedies


def remedy(name: str, **changes: object) -> Remedy:
    return Remedy.model_validate({"name": name, "match": ['alertname="X"'], "task": "sweep", **changes})


ATTIC = remedy("attic", target="attic", cooldown=1)
MAPPED = remedy("mapped", target_label="mountpoint", targets={"/srv(/.*)?": "cellar", "/var": "attic"}, cooldown=2)
ANY = remedy("any", target_label="room", cooldown=3)
BY_CONTAINER = remedy("container", target_label="name", targets={"pg.*": "db"}, cooldown=4)
OTHER = remedy("other", task="clean", target="attic", cooldown=5)
EVERY = [OTHER, ATTIC, MAPPED, BY_CONTAINER, ANY]


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("attic", ["attic", "mapped", "any"]),
        ("cellar", ["mapped", "any"]),
        ("hall", ["any"]),
        ("db", ["container", "any"]),
        ("container:db", ["container", "any"]),
        ("container:attic", ["any"]),
    ],
)
def test_which_remedies_may_run_a_task_on_a_target(target: str, names: list[str]) -> None:
    remedies = Remedies(EVERY)
    assert [each.name for each in remedies.about("sweep", target)] == names
    assert remedies.settings("sweep", target) == remedies.named(names[0])


def test_without_a_remedy_a_run_is_judged_by_the_defaults() -> None:
    assert Remedies([OTHER, ATTIC]).settings("sweep", "cellar") == GuardSettings()
    assert Remedies([]).settings("sweep", "attic") == GuardSettings()
