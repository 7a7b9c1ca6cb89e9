"""Which remedies may run a task on a target, and by whose settings a run is judged that no alert asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.config.guards import GuardSettings
from remediator.config.matchers import matches_all, parse_matchers
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


MATCHERS = [
    'alertname="X"',
    'alertname="Y", room="hall"',
    'alertname=~"X|Y"',
    'room!="hall"',
    'alertname=""',
    'alertname!="X"',
    'alertname="X", alertname="Y"',
]


@given(
    chosen=st.lists(st.sampled_from(MATCHERS), max_size=6),
    labels=st.dictionaries(
        st.sampled_from(["alertname", "room"]), st.sampled_from(["X", "Y", "Z", "hall", ""]), max_size=2
    ),
)
def test_an_alert_is_matched_by_those_whose_matchers_all_match_in_order(
    chosen: list[str], labels: dict[str, str]
) -> None:
    remedies = [remedy(f"r{number}", match=[text], target="attic") for number, text in enumerate(chosen)]
    expected = [each for each in remedies if matches_all(parse_matchers(each.match[0]), labels)]
    assert [selection.remedy for selection in Remedies(remedies).select(labels)] == expected
