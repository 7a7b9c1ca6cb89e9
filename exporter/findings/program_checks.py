"""Checks by the programs that will read the files: Docker Compose, promtool and amtool.

Their output may quote what it complains of, passwords too: the exit status counts, and the names in Compose's warnings.
"""

import asyncio
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from exporter.base import programs as commands
from exporter.base.errors import UpkeeperError
from exporter.base.text import printable
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.findings.files import Unreadable, check_readable
from exporter.findings.finding import Finding, Place, word
from exporter.findings.paths import matches
from exporter.findings.paths import name as name_of
from exporter.findings.project import Project, profiles_in_use
from exporter.inventory.audit import Configuration
from exporter.inventory.checks import CheckName

TOOL_SECONDS = 20.0
"""How long one program may take."""
KEPT_SECONDS = 3600.0
"""What Compose said of files holds this long while they do not change: it costs a second of processor time."""

_AT_ONCE = 2
_FETCH_NOTHING = {"COMPOSE_EXPERIMENTAL_GIT_REMOTE": "false", "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "false"}
"""Compose then includes only what is on this machine."""
_PASSED_ON = ("DOCKER_CONFIG",)
_WARNING = re.compile(r"level=warning|^WARN|^WARNING|^The .* variable is not set")
_UNSET = re.compile(r'The (?:\\?")?([A-Za-z_][A-Za-z0-9_]*)(?:\\?")? variable is not set')
_HARMLESS = re.compile(r"attribute `?version`? is obsolete")
"""A remark that most published files earn, and that changes nothing."""


class ToolFailed(UpkeeperError):
    """A program gave no verdict. The message is one line, and quotes nothing that it said."""


async def run(
    arguments: Sequence[str], directory: str, seconds: float = TOOL_SECONDS, *, output: bool = False
) -> commands.Finished:
    """What a program left behind, which is killed with all that it started when the time is over.

    It gets neither input nor our environment, in which there may be secrets. output: whether what it says is kept.
    Raises ToolFailed.
    """
    try:
        async with asyncio.timeout(seconds):
            done = await commands.run(
                arguments,
                environment={"PWD": directory, **_FETCH_NOTHING},
                passed_on=_PASSED_ON,
                cwd=directory,
                polite=False,
                output=output,
            )
    except TimeoutError:
        raise ToolFailed(f"{name_of(arguments[0])} did not end within {seconds:g} s") from None
    except commands.CommandFailed:
        raise ToolFailed(f"{name_of(arguments[0])} wrote too much") from None
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: the system allows no more threads
        raise ToolFailed(f"{arguments[0]} cannot be started: {type(error).__name__}") from error
    if done.status < 0:
        raise ToolFailed(f"{name_of(arguments[0])} was killed by signal {-done.status}")
    return done


@dataclass(frozen=True)
class ComposeSays:
    """What Compose said of a project: of its own words only the names of variables are kept."""

    refuses: bool = False
    unset: frozenset[str] = frozenset()
    """Variables that it warns of."""
    warns: bool = False
    """Whether it warns of anything else."""


def understood(done: commands.Finished) -> ComposeSays:
    """Compose 2 and 5 warn with exit status 0. Pure."""
    lines = [line for line in done.errors.splitlines() if _WARNING.search(line)]
    unset = {match[1] for line in lines if (match := _UNSET.search(line))}
    other = [line for line in lines if not _UNSET.search(line) and not _HARMLESS.search(line)]
    return ComposeSays(done.status != 0, frozenset(unset), bool(other))


def _compose_findings(name: str, says: ComposeSays, project: Project) -> Iterator[Finding]:
    """What Compose said, but for the variables that were found to be not set without it."""
    place = project.place().printable()
    remedy = f"`{name} config -q` there says {'why' if says.refuses else 'about what'}"
    if says.refuses:
        yield Finding("compose-config", "critical", str(place), place, f"{name} rejects the project", remedy)
        return
    if says.warns:
        yield Finding("compose-config", "warning", str(place), place, f"{name} warns about something", remedy)
    for variable in sorted(says.unset - {each.use.name for each in project.uses}):
        message = f"{name} warns that {word(variable)} is not set"
        yield Finding("compose-config", "warning", word(variable), place, message, f"set {word(variable)}, or see `$$`")


@dataclass(frozen=True)
class ProgramResult:
    """What a check by a program found, and why it did not run where it did not."""

    check: CheckName
    findings: Sequence[Finding] = ()
    problems: Sequence[str] = ()


class ProgramChecks:
    """The checks by programs. monotonic: seconds on a clock that never jumps. which: as shutil.which."""

    def __init__(
        self,
        settings: Configuration,
        monotonic: Callable[[], float] = time.monotonic,
        which: Callable[[str], str | None] = shutil.which,
    ) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._which = which
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._plugin: tuple[float, bool] | None = None
        self._threads = KeyedThreads()
        self._kept: dict[object, tuple[float, ComposeSays]] = {}

    async def check(
        self, projects: Sequence[Project], seconds: float, running: Collection[tuple[str, str]] = ()
    ) -> Sequence[ProgramResult]:
        """The verdicts of the checks for which anything is configured, all within so many seconds and a little.

        running: services of which a container runs, so that their profiles are in use.
        """
        wanted: list[tuple[CheckName, str, Sequence[str], Sequence[str]]] = [
            ("prometheus-config", "promtool", ("check", "config"), self._settings.prometheus_configs),
            ("prometheus-rules", "promtool", ("check", "rules"), self._settings.prometheus_rules),
            ("alertmanager-config", "amtool", ("check-config",), self._settings.alertmanager_configs),
        ]
        end = asyncio.get_running_loop().time() + seconds
        verdicts = await asyncio.gather(
            self._compose(projects, running, end),
            *(self._files(check, tool, words, paths, end) for check, tool, words, paths in wanted if paths),
        )
        return [verdict for verdict in verdicts if verdict is not None]

    async def _run(
        self, arguments: Sequence[str], directory: str, end: float, *, output: bool = False
    ) -> commands.Finished:
        """As run, when its turn comes. end: on the loop's clock. Raises ToolFailed."""
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout_at(end):
                await self._slots.acquire()
        except TimeoutError:
            raise ToolFailed(f"{name_of(arguments[0])} had no time left, as others were slow") from None
        try:
            return await run(arguments, directory, max(0.0, min(TOOL_SECONDS, end - clock())), output=output)
        finally:
            self._slots.release()

    async def _compose(
        self, projects: Sequence[Project], running: Collection[tuple[str, str]], end: float
    ) -> ProgramResult | None:
        """None where Compose is not installed. A project that could not be read is left out: Compose would hang too."""
        command = await self._compose_command(end) if projects else None
        if command is None:
            return None
        verdict = await _together(
            "compose-config",
            [self._of_project(command, project, running, end) for project in projects if not project.unreadable],
        )
        left_out = [reason for project in projects for reason in project.unreadable]
        self._forget()
        return ProgramResult(verdict.check, verdict.findings, [*verdict.problems, *left_out])

    async def _compose_command(self, end: float) -> Sequence[str] | None:
        docker, standalone = self._which("docker"), self._which("docker-compose")
        now = self._monotonic()
        if docker is not None and (self._plugin is None or now - self._plugin[0] > KEPT_SECONDS):
            try:
                self._plugin = now, (await self._run([docker, "compose", "version"], "/", end)).status == 0
            except ToolFailed:
                self._plugin = now, False
        if docker is not None and self._plugin is not None and self._plugin[1]:
            return [docker, "compose"]
        return [standalone] if standalone is not None else None

    async def _of_project(
        self, command: Sequence[str], project: Project, running: Collection[tuple[str, str]], end: float
    ) -> Sequence[Finding]:
        profiles = profiles_in_use(project, running)
        # Those that its variables switch on need no option, and are off as soon as there is one.
        switched = sorted(profiles) if profiles > project.profiles else ()
        options = [*project.invocation.options, *(part for name in switched for part in ("--profile", name))]
        stamps = tuple(sorted((path, file.stamp) for path, file in project.read.items()))
        key = (*command, *options, stamps)
        now = self._monotonic()
        at, says = self._kept.get(key, (float("-inf"), ComposeSays()))
        if now - at > KEPT_SECONDS:
            done = await self._run([*command, *options, "config", "-q"], project.invocation.directory, end, output=True)
            says = understood(done)
            self._kept[key] = now, says
        return list(_compose_findings(" ".join([name_of(command[0]), *command[1:]]), says, project))

    def _forget(self) -> None:
        """Drops what was kept of files as they were."""
        now = self._monotonic()
        self._kept = {key: kept for key, kept in self._kept.items() if now - kept[0] <= KEPT_SECONDS}
        while len(self._kept) > 100:
            del self._kept[next(iter(self._kept))]

    async def _files(
        self, check: CheckName, tool: str, words: Sequence[str], patterns: Sequence[str], end: float
    ) -> ProgramResult:
        program = self._which(tool)
        if program is None:
            return ProgramResult(check, problems=[f"{tool} is not installed, or not on PATH"])
        paths: list[str] = []
        problems: list[str] = []
        for found, missed in await asyncio.gather(*(self._readable(check, pattern, end) for pattern in patterns)):
            paths += found
            problems += missed
        verdict = await _together(check, [self._of_file(check, [program, *words], path, end) for path in paths])
        return ProgramResult(check, verdict.findings, [*problems, *verdict.problems])

    async def _readable(self, check: CheckName, pattern: str, end: float) -> tuple[list[str], list[str]]:
        """The files that a pattern matches, and what cannot be read of them: the programs do not tell the two apart."""
        try:
            async with asyncio.timeout_at(end):
                return await self._threads.run((check, pattern), partial(_readable, pattern))
        except (TimeoutError, StillStuck):
            return [], [f"{printable(pattern)} cannot be read: its file system does not answer in time"]
        except (OSError, RuntimeError) as error:
            return [], [f"{printable(pattern)} cannot be read: {type(error).__name__}"]

    async def _of_file(self, check: CheckName, command: Sequence[str], path: str, end: float) -> Sequence[Finding]:
        name = " ".join([name_of(command[0]), *command[1:]])
        if (await self._run([*command, path], "/", end)).status == 0:
            return ()
        place = Place(printable(path))
        return [Finding(check, "critical", str(place), place, f"{name} rejects the file", f"`{name} {place}` says why")]


def _readable(pattern: str) -> tuple[list[str], list[str]]:
    paths, problem = matches(pattern)
    problems = [f"{printable(pattern)} {problem}"] if problem else []
    readable: list[str] = []
    for path in paths:
        try:
            check_readable(path)
            readable.append(path)
        except Unreadable as error:
            problems.append(str(error))
    return readable, problems


async def _together(check: CheckName, checks: Sequence["asyncio._CoroutineLike[Sequence[Finding]]"]) -> ProgramResult:
    results = await asyncio.gather(*checks, return_exceptions=True)
    problems: list[str] = []
    findings: list[Finding] = []
    for result in results:
        if isinstance(result, ToolFailed):
            problems.append(str(result))
        elif isinstance(result, BaseException):
            raise result
        else:
            findings += result
    return ProgramResult(check, findings, problems)
