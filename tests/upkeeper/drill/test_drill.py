"""The drill against a scripted source of facts: when it ends, what it says, and that nothing is left behind."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path

import pytest

from remediator.model.errors import EXIT_BLOCKED, EXIT_USAGE, ClientError
from remediator.statedir import StateDir
from tests.upkeeper.drill.facts import QUIET, WIRED, at
from tests.upkeeper.shapes import decision
from upkeeper.drill import breach, drill
from upkeeper.drill.drill import Drill, Report
from upkeeper.drill.facts import DrillFacts
from upkeeper.drill.stations import Station


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateDir:
    monkeypatch.setattr(drill, "INTERVAL", 0)
    state = StateDir(tmp_path / "state")
    state.root.mkdir()
    return state


WIRED_QUIET = replace(QUIET, wiring=WIRED)


@dataclass
class Scripted:
    """A source that says what the script says next, and the last of it for ever."""

    state: StateDir
    script: Iterable[DrillFacts]
    wiring: DrillFacts = WIRED_QUIET
    before: Iterable[DrillFacts] = ()
    """What it says before the breach."""
    breached: list[bool] = field(default_factory=list)
    begun: int = 0

    def __post_init__(self) -> None:
        self._before: Iterator[DrillFacts] = iter(self.before)
        self._script: Iterator[DrillFacts] = iter(self.script)
        self._last = QUIET

    async def begin(self) -> None:
        self.begun += 1

    async def look(self) -> DrillFacts:
        self.breached.append(self.state.drill.exists())
        self._last = next(self._script, self._last)
        return self._last

    async def examine(self) -> DrillFacts:
        facts = next(self._before, self._last)
        return replace(facts, wiring=self.wiring.wiring, unreachable=self.wiring.unreachable or facts.unreachable)


def ticking(step: float) -> Callable[[], float]:
    now = 1000.0

    def clock() -> float:
        nonlocal now
        now += step
        return now

    return clock


async def play(source: Scripted, reports: list[Report], step: float = 1.0) -> Report:
    return await Drill(source.state, source, reports.append, timeout=180, clock=ticking(step)).run()


async def test_a_healthy_stack_passes_every_station(state: StateDir) -> None:
    reports: list[Report] = []
    source = Scripted(state, [at(station) for station in Station])
    result = await play(source, reports)
    assert list(result.progress.passed) == list(Station)
    assert result.stuck is None
    assert result.run_id == 1
    assert all(source.breached)
    assert reports[-1] == result
    assert not state.drill.exists()
    document = json.loads(json.dumps(result.document()))
    assert document["ok"] is True
    assert [entry["station"] for entry in document["stations"]] == [str(station) for station in Station]
    assert document["stuck"] is None


async def test_the_breach_is_over_its_limit_and_each_file_is_worth_a_rotation(state: StateDir) -> None:
    breach.make(state.drill)
    files = sorted(state.drill.iterdir())
    assert len(files) == breach.FILES
    assert all(file.suffix == ".log" and file.stat().st_size > 256 * 1024 for file in files)
    assert sum(file.stat().st_blocks * 512 for file in files) > 2 * 1024**2


async def test_what_cannot_work_is_told_without_a_breach(state: StateDir) -> None:
    source = Scripted(state, [], wiring=replace(QUIET, unreachable={"prometheus": "refused"}))
    result = await play(source, [])
    assert result.stuck is not None
    assert result.stuck.station is Station.PENDING
    assert source.breached == []
    assert result.document()["stuck"]["cause"].endswith("refused")


async def test_it_gives_up_when_the_time_is_over_and_says_where(state: StateDir) -> None:
    source = Scripted(state, [at(Station.MEASURED), at(Station.PENDING)])
    result = await play(source, [], step=50)
    assert result.stuck is not None
    assert result.stuck.station is Station.FIRING
    assert list(result.progress.passed) == [Station.MEASURED, Station.PENDING]
    assert result.document()["ok"] is False
    assert not state.drill.exists()


async def test_it_gives_up_at_once_when_the_cause_is_certain(state: StateDir) -> None:
    blocked = replace(at(Station.ACCEPTED).remediator, decision=decision(verdict="blocked", guard="cooldown"))
    source = Scripted(state, [replace(at(Station.NOTIFIED), remediator=blocked)])
    result = await play(source, [], step=0.1)
    assert result.stuck is not None
    assert result.stuck.station is Station.PLANNED
    assert "cooldown" in result.stuck.diagnosis.cause


async def test_a_service_that_is_away_for_a_moment_is_waited_for(state: StateDir) -> None:
    away = replace(at(Station.NOTIFIED), unreachable={"remediator": "refused"})
    source = Scripted(state, [away, at(Station.ACCEPTED), away, at(Station.RESOLVED)])
    result = await play(source, [], step=2)
    assert result.stuck is None


async def test_it_waits_until_the_alert_of_an_earlier_drill_has_ended(state: StateDir) -> None:
    source = Scripted(state, [at(Station.RESOLVED)], before=[at(Station.FIRING), at(Station.PENDING), QUIET])
    reports: list[Report] = []
    result = await play(source, reports)
    assert result.stuck is None
    assert "earlier drill" in reports[0].note
    assert source.breached == [True]
    assert source.begun == 2  # what arrived while it waited is not its own


async def test_an_earlier_alert_that_never_ends_is_told(state: StateDir) -> None:
    source = Scripted(state, [], before=repeat(at(Station.FIRING)))
    result = await play(source, [], step=30)
    assert result.stuck is not None
    assert "earlier drill" in result.stuck.diagnosis.cause
    assert source.breached == []


async def test_a_stack_that_is_only_starting_is_given_the_time(state: StateDir) -> None:
    starting = [replace(QUIET, unreachable={"alertmanager": "refused"})] * 3
    source = Scripted(state, [at(Station.RESOLVED)], before=starting)
    source.wiring = QUIET
    reports: list[Report] = []
    result = await play(source, reports, step=1)
    assert result.stuck is None
    assert reports[0].note.endswith("refused; looking again")


async def test_leftovers_of_a_drill_that_was_killed_are_removed_first(state: StateDir) -> None:
    breach.make(state.drill)
    (state.drill / "drill-0.log.1.gz").write_bytes(b"rotated")
    source = Scripted(state, [], wiring=replace(QUIET, unreachable={"exporter": "refused"}))
    await play(source, [])
    assert not state.drill.exists()


@pytest.mark.parametrize("station", list(Station)[:-1])
async def test_an_interruption_at_any_station_leaves_nothing_behind(state: StateDir, station: Station) -> None:
    source = Scripted(state, [at(station)])
    reached = asyncio.Event()

    def watch(report: Report) -> None:
        if station in report.progress.passed:
            reached.set()

    work = asyncio.create_task(Drill(state, source, watch, timeout=1e9).run())
    await reached.wait()
    assert state.drill.exists()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not state.drill.exists()
    assert list(state.root.iterdir()) == []


async def test_a_second_drill_at_the_same_time_is_refused(state: StateDir) -> None:
    with breach.only_drill(state), pytest.raises(ClientError, match="another drill is in progress") as caught:
        await play(Scripted(state, []), [])
    assert caught.value.exit_code == EXIT_BLOCKED
    assert (await play(Scripted(state, [at(Station.RESOLVED)]), [])).stuck is None


async def test_a_link_in_place_of_the_directory_is_not_followed(state: StateDir, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("mine")
    state.drill.symlink_to(precious)
    with pytest.raises(ClientError, match="symbolic link"):
        await play(Scripted(state, []), [])
    assert (precious / "file").read_text() == "mine"


async def test_without_a_state_directory_it_says_so(tmp_path: Path) -> None:
    source = Scripted(StateDir(tmp_path / "absent"), [])
    with pytest.raises(ClientError, match="cannot use the state directory") as caught:
        await play(source, [])
    assert caught.value.exit_code == EXIT_USAGE
