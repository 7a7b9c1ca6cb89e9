"""The proof ``restored``: every member is restored into scratch, and compared there with what was counted."""

import sqlite3
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from exporter.backups.manifest import Manifest, Member
from exporter.base.text import counted
from exporter.inventory.neo4j import Neo4jServer
from remediator.model.task import TaskError
from remediator.neo4jdump.replace import NotLoaded
from remediator.tasks.backup.sources.neo4j_dump import FORM
from remediator.tasks.backup.sources.sqlite import complaints, describe
from remediator.tasks.restoring import archive, checked
from remediator.tasks.restoring.attributes import attribute_differences
from remediator.tasks.restoring.checked import Damaged, SetFiles
from remediator.tasks.restoring.graph import Graph
from remediator.tasks.restoring.parts import databases
from remediator.tasks.restoring.postgres import NotRestored, restore_server
from remediator.tasks.restoring.scratch import scratch

Restores = Callable[[SetFiles, Manifest, Member, Path, threading.Event], str]
"""Restores a member of a set (its files, its manifest) into an empty directory; what was found, for people."""
Graphs = Mapping[str, Neo4jServer]
"""By the name of a Neo4j server in the set, another one whose database is empty."""


def problems(
    directory: Path,
    manifest: Manifest,
    where: Path | None,
    stop: threading.Event,
    identity: str | None = None,
    graphs: Graphs | None = None,
) -> tuple[list[str], list[str]]:
    """What is wrong with the members of a set, and what was found of the others. Blocks.

    where: the directory for scratch; None for the system's. identity: file of the key of an encrypted set. graphs:
    where databases of Neo4j are loaded. Raises TaskError where it cannot be told, UpkeeperError of a server that does
    not answer, Stopped, OSError.
    """
    files = SetFiles(directory, identity)
    restorers = {**_RESTORERS, "neo4j": _into_graphs(graphs or {})}
    unknown = [member.key for member in manifest.members if member.kind not in restorers]
    if unknown:
        raise TaskError(f"{unknown[0]} is of a kind that this Upkeeper cannot restore into scratch")
    wrong: list[str] = []
    found: list[str] = []
    for member in manifest.members:
        with scratch(where, _needed(manifest, member)) as into:
            try:
                found.append(f"{member.label}: {restorers[member.kind](files, manifest, member, into, stop)}")
            except (Damaged, NotRestored) as error:
                wrong.append(f"{member.label}: {error}")
    return wrong, found


def _archive(files_of: SetFiles, manifest: Manifest, member: Member, into: Path, stop: threading.Event) -> str:
    files = {file.path: file for file in manifest.files}
    total = 0
    for number, path in enumerate(member.files):
        total += archive.look(files_of, files[path], stop)
        out = into / str(number)
        out.mkdir(mode=0o700)
        archive.unpack(files_of, files[path], out, None, stop)
        wrong = archive.differences(files_of, files[path], out, stop)
        if wrong:
            raise NotRestored(f"{path}, unpacked: {wrong[0]}")
        wrong = attribute_differences(files_of, files[path], out, stop)
        if wrong:
            raise NotRestored(f"{path}, unpacked: {wrong[0]}")
    wanted = member.facts.get("entries", total)
    if wanted != total:
        raise NotRestored(f"it holds {total} entries, where {wanted} were backed up")
    return counted(total, "entry", "entries")


def _sqlite(files_of: SetFiles, manifest: Manifest, member: Member, into: Path, stop: threading.Event) -> str:
    (entry,) = [file for file in manifest.files if file.path in member.files]
    copy = into / "database.sqlite"
    checked.copy(files_of, entry, copy, stop)
    wrong = complaints(copy)
    if wrong:
        raise NotRestored(f"SQLite finds: {wrong[0]}")
    try:
        found: Mapping[str, Any] = describe(copy)
    except sqlite3.Error as error:
        raise NotRestored(str(error)) from None
    for key in ("rows", "pages", "user_version"):
        if key in member.facts and member.facts[key] != found[key]:
            raise NotRestored(f"{key} are {found[key]}, where they were {member.facts[key]}"[:300])
    return counted(sum(found["rows"].values()), "row")


def _postgres(files_of: SetFiles, manifest: Manifest, member: Member, into: Path, stop: threading.Event) -> str:
    return restore_server(files_of, manifest, member, into, stop)


def _into_graphs(graphs: Graphs) -> Restores:
    """Loads each database of a Neo4j server into the empty one of another, compares, and empties that again."""

    def restore(files_of: SetFiles, manifest: Manifest, member: Member, into: Path, stop: threading.Event) -> str:
        server = graphs.get(member.name)
        if member.facts.get("form") == FORM:
            raise TaskError(
                f"{member.key} is dumped by neo4j-admin: that it can be loaded is shown by a drill, or by a restore"
            )
        if server is None:
            raise TaskError(
                f"{member.key} is restored into another Neo4j server: name one that holds nothing in scratch of "
                "make.neo4j"
            )
        entries = {file.path: file for file in manifest.files}
        said = []
        for name, facts in databases(member).items():
            version = str(member.facts.get("server_version", ""))
            graph = Graph(server, name, files_of, entries[str(facts["file"])], facts, version, into)
            graph.look(stop, replaces=False)
            try:
                said.append(graph.fill(stop, replaces=False, for_trial=True))
            except NotLoaded as error:
                raise NotRestored(f"database {name}: {error}") from None
            finally:
                graph.discard(stop)
        return "; ".join(said)

    return restore


def _needed(manifest: Manifest, member: Member) -> int:
    """Bytes that the restored member takes, as far as the backup wrote that down."""
    content, sizes = member.facts.get("content_bytes"), member.facts.get("sizes")
    if isinstance(content, int):
        return content
    if isinstance(sizes, dict):
        return sum(size for size in sizes.values() if isinstance(size, int))
    wanted = set(member.files)
    return sum(file.bytes for file in manifest.files if file.path in wanted)


_RESTORERS: Mapping[str, Restores] = {"files": _archive, "volumes": _archive, "sqlite": _sqlite, "postgres": _postgres}
