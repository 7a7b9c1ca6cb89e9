"""docs/how-to/from-scripts.md: each row has a command of ours that the command line takes, and the guide is in it."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from remediator.tasks.registry import FACTS
from tests.upkeeper.commandline import invoke
from upkeeper.cli import cli

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "from-scripts.md"
TEXT = PAGE.read_text()
ROWS = [line.strip("|").split(" | ") for line in TEXT.splitlines() if re.match(r"\| (?!so far|---)", line)]
LONE = {"weekly", "monthly", "yearly", "validate-config"}
"""Tasks of a row that go with the command before them."""
GUIDE = (
    "maintenance.sh --daily", "--weekly", "--monthly", "--yearly", "maintenance.sh --verbose",
    "maintenance.sh health-check", "health-check.sh", "maintenance.sh log-rotation", "gzip logs/*.log",
    'find logs -name "*.log.gz" -mtime +30 -delete', "maintenance.sh docker-cleanup", "docker system prune -a",
    "docker network prune -f", "docker volume prune -f", "maintenance.sh system-update", "apt upgrade", "dnf update",
    "brew upgrade", "apt list --upgradable", "maintenance.sh security-update", "docker-compose pull",
    "docker-compose up -d", "apt autoremove", "dnf autoremove", "brew cleanup", "ANALYZE;", "VACUUM;",
    "apoc.warmup.run", "backup.sh", "verify-backup.sh --latest", "--all", "ls -la backups/",
    "restore.sh --dry-run latest", "restore.sh --force latest", "disaster recovery test",
    "maintenance.sh configuration-audit", "validate-config.sh", "older than 90 days",
    "maintenance.sh performance-optimization", "performance check", "iotop", "nethogs", "docker stats", "free -h",
    "performance analysis", "documentation review", "apt audit", "dnf audit", "docker scout cves", "diagnose.sh",
    "capacity planning", "df -h", "maintenance.sh monitoring-setup", "crontab -e", "crontab -l",
    "journalctl -u cron", "tail -f maintenance.log", "grep -i error *.log", "curl -f http://localhost:8283/v1/health/",
    "docker-compose ps", "docker-compose logs --tail=50", "health-check.sh \\| mail",
    "CHANGE_ME_", "docker-compose config", "journalctl -u docker",
)  # fmt: skip
"""What the guide that this project replaces tells people to type or to see to, section by section."""


def commands() -> Iterator[tuple[str, ...]]:
    """Each command of ours on the page, as words, once."""
    found = dict.fromkeys(re.findall(r"`(upkeeper [^`]+)`", TEXT))
    yield from (tuple(shlex.split(text.replace(" ...", " maintenance").replace("RUN", "12")))[1:] for text in found)


COMMANDS = list(commands())


def test_no_row_of_the_guide_is_missing() -> None:
    rows = "\n".join(row[0] for row in ROWS)
    assert [one for one in GUIDE if one not in rows] == []


def test_each_row_has_a_command_or_a_section_of_the_config() -> None:
    """By its own words or by a link to the page that tells the setting."""
    assert len(ROWS) >= 35
    bare = [row[0] for row in ROWS if "`upkeeper " not in row[1] and not re.search(r"\]\([a-z-]+\.md", row[1])]
    assert bare == []


def test_it_says_of_nothing_that_it_is_still_to_come() -> None:
    assert not re.search(r"does not exist yet|nothing yet|not there yet", TEXT)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_is_one_that_the_command_line_takes(words: tuple[str, ...]) -> None:
    """Parsed with its options as it stands, and not run; a task that it names exists."""
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None
    with click.Context(cli) as above:
        context = command.make_context(words[0], list(words[1:]), parent=above)
    assert context.command is command
    if words[0] in ("run", "plan") and words[1] != "TASK":
        assert words[1] in FACTS


def test_the_tasks_that_a_row_names_exist() -> None:
    """Also those without the command before them: links to their pages, and words of the same cell."""
    pages = {name for row in ROWS for name in re.findall(r"\.\./tasks/([a-z-]+)\.md", row[1])}
    assert {name for name in pages if not (PAGE.parents[1] / "tasks" / f"{name}.md").exists()} == set()
    words = {word for row in ROWS for word in re.findall(r"`([a-z]+(?:-[a-z]+)*)`", row[1])} - {"upkeeper"}
    assert LONE <= words <= FACTS.keys()


@pytest.mark.parametrize("name", sorted({words[0] for words in COMMANDS}))
async def test_each_command_answers(name: str) -> None:
    done = await invoke(name, "--help")
    assert (done.status, done.err) == (0, "")
    assert f"upkeeper {name}" in done.out
