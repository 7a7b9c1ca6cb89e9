"""A set's exports of Neo4j come back in a server of the sandbox, which then checks its store.

The sandbox has no way in: the driver works in the network of the server's own container.
"""

import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from exporter.backups.manifest import SetFile
from exporter.base.text import counted
from exporter.base.units import format_duration
from exporter.inventory.drills import DrillService
from exporter.inventory.neo4j import Neo4jServer
from exporter.neo4j.driver import Neo4jRefused, Neo4jUnavailable
from remediator.model.task import TaskError
from remediator.neo4jdump.replace import NotLoaded
from remediator.sandbox.guest import Guest
from remediator.sandbox.network import within
from remediator.sandbox.sandbox import GuestFailed, Sandbox, last_line
from remediator.tasks.backup.sink import Stopped
from remediator.tasks.backup.sources.neo4j_dump import FORM
from remediator.tasks.disaster_recovery.proofs.proof import NotProven
from remediator.tasks.restoring import checked as checked_files
from remediator.tasks.restoring.graph import answers, graphs_of, sizes
from remediator.tasks.restoring.parts import Part, chosen, databases
from remediator.tasks.restoring.sets import ChosenSet
from remediator.tasks.worker import in_thread

_BOLT = "bolt://127.0.0.1:7687"
"""Where the image's server listens, in its own network."""
_AUTH = "NEO4J_AUTH"
_DATA = "/data"
"""Where the image's server has its data."""
_LAID = "/upkeeper-set"
_STOP_SECONDS = 120.0
_PAUSE_SECONDS = 0.5


def graph_part(found: ChosenSet, service: DrillService) -> Part | None:
    """What of a set a service is filled with. Raises TaskError where the set does not have it."""
    return None if service.neo4j is None else chosen(found.manifest, [f"neo4j:{service.neo4j}"])[0]


def login(service: str, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Name and password that the image gives its server; None where it asks for none. Raises TaskError. Pure."""
    said = environment.get(_AUTH, "")
    name, slash, password = said.partition("/")
    if said == "none":
        return None
    if not (name and slash and password):
        raise TaskError(f"{service} needs {_AUTH} in environment or env_file: none, or neo4j/ and a password")
    return name, password


def is_dumped(part: Part | None) -> bool:
    """Whether it is of dumps of neo4j-admin, which are loaded before the server starts. Pure."""
    return part is not None and part.member.facts.get("form") == FORM


async def load_dumps(inside: Sandbox, found: ChosenSet, part: Part, service: DrillService, guest: Guest) -> Guest:
    """Loads them into a new volume by the image's own program; the guest with that volume as its data.

    Raises NotProven, GuestFailed, Damaged, TaskError, OSError, UpkeeperError.
    """
    data, laid = f"data-of-{service.name}", f"dumps-of-{service.name}"
    await inside.volume(data)
    root = Path(await inside.volume(laid))
    entries = {file.path: file for file in part.files(found.manifest)}
    for name, facts in databases(part.member).items():
        entry = entries[str(facts["file"])]
        await in_thread(lambda stop, entry=entry, to=root / f"{name}.dump": _lay(found, entry, to, stop))  # type: ignore[misc]
        command = ["neo4j-admin", "database", "load", f"--from-path={_LAID}", "--overwrite-destination=true", name]
        loader = replace(guest, name=f"{service.name}-load", command=command, volumes={data: _DATA, laid: _LAID})
        said = await inside.alone(loader, service.load_within)
        if said.status:
            raise NotProven(f"the dump of {name} cannot be loaded into {service.name}: {last_line(said)}")
    return replace(guest, volumes={**guest.volumes, data: _DATA})


def _lay(found: ChosenSet, entry: SetFile, to: Path, stop: threading.Event) -> None:
    checked_files.copy(found.content, entry, to, stop)
    to.chmod(0o444)


async def counted_in(inside: Sandbox, part: Part, service: DrillService, environment: Mapping[str, str]) -> str:
    """What the server holds that was started on what was loaded, for people. Raises as fill does, and NotProven where
    a database holds nothing at all: then nothing is proven.
    """
    account = login(service.name, environment)
    await _until_it_answers(inside, service, account)
    said = []
    for name in databases(part.member):
        async with inside.network(service.name) as handle:
            try:
                nodes, relationships = await in_thread(
                    lambda stop, name=name: within(handle, lambda: _sizes(service, account, name, stop))  # type: ignore[misc]
                )
            except (Neo4jRefused, Neo4jUnavailable) as error:
                raise NotProven(f"{service.name} cannot be asked for what {name} holds: {error}") from None
        if not nodes:
            raise NotProven(f"the database {name} of {service.name} holds nothing, so that nothing is proven")
        said.append(f"{counted(nodes, 'node')}, {counted(relationships, 'relationship')} in {name}")
    return "; ".join(said)


def _sizes(service: DrillService, account: tuple[str, str] | None, name: str, stop: threading.Event) -> tuple[int, int]:
    with tempfile.TemporaryDirectory(prefix="upkeeper-") as private:
        return sizes(_server(service, account, Path(private)), name, stop)


async def fill(
    inside: Sandbox, found: ChosenSet, part: Part, service: DrillService, environment: Mapping[str, str]
) -> str:
    """Fills the server once it answers, and compares; what it holds then, for people.

    Raises NotProven, GuestFailed, Damaged, TaskError, OSError, UpkeeperError.
    """
    account = login(service.name, environment)
    await _until_it_answers(inside, service, account)
    try:
        async with inside.network(service.name) as handle:
            said = await in_thread(lambda stop: within(handle, lambda: _filled(found, part, service, account, stop)))
    except (NotLoaded, Neo4jRefused) as error:
        raise NotProven(f"{service.name} does not hold what was backed up: {error}") from None
    except Neo4jUnavailable as error:
        raise GuestFailed(f"{service.name} did not take the set: {error}") from None
    return said


async def checked(inside: Sandbox, part: Part, service: DrillService, environment: Mapping[str, str]) -> str:
    """Stops the server in order, has ``neo4j-admin`` of its image check each store, and starts it again; what was said.

    Raises NotProven where a store is not consistent, GuestFailed, UpkeeperError.
    """
    stored = await inside.rest(service.name, _STOP_SECONDS)
    try:
        said = await _check(inside, part, service) if stored else "its store was not checked, which is in no volume"
    finally:
        await inside.go_on(service.name)
    await _until_it_answers(inside, service, login(service.name, environment))
    return said


async def _check(inside: Sandbox, part: Part, service: DrillService) -> str:
    for name in databases(part.member):
        command = ["neo4j-admin", "database", "check", name]
        said = await inside.beside(service.name, f"{service.name}-check", command, service.prove_within)
        if said is None:
            return "its store was not checked: the image has no neo4j-admin"
        if said.status:
            raise NotProven(f"the store of {service.name} is not consistent: {last_line(said)}")
    return "its store is consistent"


async def _until_it_answers(inside: Sandbox, service: DrillService, account: tuple[str, str] | None) -> None:
    deadline = time.monotonic() + service.ready_within
    last = ""
    while time.monotonic() < deadline:
        async with inside.network(service.name) as handle:
            try:
                await in_thread(lambda stop: within(handle, lambda: _asked(service, account, stop)))
                return
            except (Neo4jUnavailable, Neo4jRefused) as error:
                last = str(error)
        await in_thread(lambda stop: stop.wait(_PAUSE_SECONDS))
    raise GuestFailed(f"{service.name} was not ready within {format_duration(service.ready_within)}: {last}")


def _asked(service: DrillService, account: tuple[str, str] | None, stop: threading.Event) -> None:
    with tempfile.TemporaryDirectory(prefix="upkeeper-") as private:
        answers(_server(service, account, Path(private)), stop)


def _filled(
    found: ChosenSet, part: Part, service: DrillService, account: tuple[str, str] | None, stop: threading.Event
) -> str:
    with tempfile.TemporaryDirectory(prefix="upkeeper-") as private:
        said = []
        for graph in graphs_of(_server(service, account, Path(private)), found, part, Path(private)):
            said.append(graph.fill(stop, replaces=False))
            if stop.is_set():
                raise Stopped
        return "; ".join(said)


def _server(service: DrillService, account: tuple[str, str] | None, private: Path) -> Neo4jServer:
    """The server as the driver wants it. private: a directory for our eyes only, for the password."""
    keys = {"name": service.name, "uri": _BOLT}
    if account is not None:
        file = private / "password"
        file.write_text(account[1])
        keys |= {"username": account[0], "password_file": str(file)}
    return Neo4jServer.model_validate(keys)
