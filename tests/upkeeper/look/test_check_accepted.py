"""What `upkeeper check` finds in accepted findings of the security review."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import remediator.security.sources
from exporter.inventory.checks import CHECKS
from remediator.security.kinds import KINDS
from tests.upkeeper.look.checked import found

ACCEPT = "security:\n  accept:\n    - {{id: '{}', reason: known and borne, until: {}}}\n"
TODAY = datetime.now(UTC).date()
SOON = TODAY + timedelta(days=300)


@pytest.mark.parametrize("id", ["*", "**", "*:*", "?*"])
def test_an_acceptance_of_everything_is_told(tmp_path: Path, id: str) -> None:
    [problem] = found(tmp_path, ACCEPT.format(id, SOON))
    assert (problem.line, problem.key) == (3, "security.accept[0].id")
    assert problem.message.startswith(f"{id!r} accepts every finding")


def test_an_end_more_than_a_year_away_is_told(tmp_path: Path) -> None:
    [problem] = found(tmp_path, ACCEPT.format("port:tcp/80", "9999-12-31"))
    assert problem.key == "security.accept[0].until"
    assert problem.message.startswith("9999-12-31 is more than a year away")
    assert len(found(tmp_path, ACCEPT.format("*", "9999-12-31"))) == 2


@pytest.mark.parametrize(
    ("id", "message", "hint"),
    [
        ("nosuch", "no finding has an id that begins with 'nosuch'", "container-privileged"),
        ("ports:tcp/80", "no finding has an id that begins with 'ports'", "port"),
        ("port", "'port' matches no finding", "write `port:...`"),
    ],
)
def test_an_id_that_matches_nothing_gets_a_hint(tmp_path: Path, id: str, message: str, hint: str) -> None:
    [problem] = found(tmp_path, ACCEPT.format(id, SOON))
    assert problem.message.startswith(message)
    assert hint in (problem.hint or "")


@pytest.mark.parametrize("id", ["port:tcp/80", "port*", "container-*", "vulnerability:CVE-1:*", "images:web", "*:web"])
def test_what_can_match_is_well(tmp_path: Path, id: str) -> None:
    problems = found(tmp_path, ACCEPT.format(id, SOON))
    assert [one.message for one in problems if one.key != "security.accept[0].until"] == []


def test_every_kind_of_finding_is_known() -> None:
    """As the sources name them; those of the audit of the configuration have the names of its checks."""
    [directory] = remediator.security.sources.__path__
    texts = [path.read_text() for path in Path(directory).glob("*.py")]
    made = {kind for text in texts for kind in re.findall(r'Risk\(\s*f"([a-z-]+):', text)}
    made |= {kind for text in texts for kind in re.findall(r'Risk\(\s*"([a-z-]+):', text)}
    assert made == {*KINDS} - {*CHECKS}
