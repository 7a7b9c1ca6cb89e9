"""Many findings of one kind are one line that can be opened."""

from pathlib import Path

from exporter.findings.audit import CheckResult, Report
from exporter.findings.finding import Finding, Group, Place
from exporter.findings.fold import fold
from tests.exporter.findings.inputs import audit, write

FEW = 4
ALL = Group("{count} services have no limit: {names}", 57)
FILE = "/srv/pa/compose.yaml"


def one(subject: str, *groups: Group, line: int = 1, project: str = FILE, severity: str = "warning") -> Finding:
    return Finding(
        "limits", severity, subject, Place(FILE, line), f"{subject} is wrong", "mend it", groups, project  # type: ignore[arg-type]
    )  # fmt: skip


def test_services_of_a_project_are_one_line() -> None:
    findings = [one(f"s{at}", ALL, line=at) for at in range(57)]
    (line,) = fold(findings)
    assert line.message == "57 of 57 services have no limit: s0, s1, s2 and 54 more"
    assert (line.severity, line.remedy, line.place) == ("warning", "mend it", Place(FILE))
    assert list(line.parts) == findings
    assert len(line.places) == 57


def test_one_alone_says_its_own_word() -> None:
    findings = [one("web", ALL), one("db")]
    assert fold(findings) == findings


def test_projects_severities_and_kinds_stay_apart() -> None:
    other = Group("{count} services have no log limit: {names}")
    findings = [
        *(one("a", ALL), one("b", ALL), one("a", ALL, project="/srv/other.yaml"), one("b", ALL, severity="critical")),
        *(one("a", other), one("b", other), one("x"), one("y")),
    ]
    assert [line.message for line in fold(findings)] == [
        "2 of 57 services have no limit: a, b",
        "a is wrong",
        "b is wrong",
        "2 services have no log limit: a, b",
        "x is wrong",
        "y is wrong",
    ]


def test_a_variable_in_many_places_is_one_line_and_many_variables_are_one_too() -> None:
    wide = Group("{count} variables are not set: {names}", few=FEW)

    def variables(count: int) -> list[Finding]:
        return [
            one(f"V{at}", Group(f"V{at} is not set, in {{places}} places"), wide, line=line)
            for at in range(count)
            for line in (at, at + 100)
        ]

    assert [line.message for line in fold(variables(FEW))] == [f"V{at} is not set, in 2 places" for at in range(FEW)]
    (line,) = fold(variables(FEW + 1))
    assert line.message == f"{FEW + 1} variables are not set: V0, V1, V2 and 2 more"
    assert len(line.parts) == 2 * (FEW + 1)


def test_names_with_braces_are_no_templates() -> None:
    findings = [one("{names}", Group("{count}: {names}")), one("{count}", Group("{count}: {names}"))]
    assert [line.message for line in fold(findings)] == ["2: {names}, {count}"]


def test_lines_are_in_the_order_of_severity() -> None:
    report = Report([CheckResult("limits", [one("a", severity="info"), one("b", ALL), one("c", ALL)])])
    assert [line.severity for line in report.lines] == ["warning", "info"]
    assert len(report.findings) == 3


async def test_a_real_project(tmp_path: Path) -> None:
    services = "\n".join(
        f"  s{at}: {{image: 'x:1', restart: always, ports: ['{9000 + at}:80'], environment: {{D: $DOMAIN}}}}"
        for at in range(57)
    )
    pull = "\n  pull-model: {image: 'x:1'}\n  db-migrate: {image: 'x:1', restart: on-failure}"
    write(tmp_path, {"compose.yaml": f"services:\n{services}{pull}\n"})
    report = await audit(compose_files=[f"{tmp_path}/compose.yaml"])
    assert [line.message for line in report.lines if line.check != "compose-config"] == [
        "DOMAIN is not set and is replaced by nothing, in 57 places",
        "57 ports are open to every network of this host: of s0, s1, s2 and 54 more",
        "57 of 57 services have no memory limit, so a leak can take down the whole host: s0, s1, s2 and 54 more",
        "57 of 57 services have no health check, or one that is switched off: s0, s1, s2 and 54 more",
        "the logs of 59 of 59 services grow without a limit: s0, s1, s2 and 56 more",
        "57 of 57 services have no CPU limit: s0, s1, s2 and 54 more",
    ]
