"""The proof ``readable``: every archive and dump is read to its last byte, and holds what was counted at the backup.

What a program's exit status says of a dump is not relied on: rows, entries and bytes are counted and compared.
"""

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.backups.manifest import ENCRYPTED_SUFFIX, Manifest, Member
from exporter.backups.tar_stream import TarBroken, TarStream
from exporter.base.text import counted
from exporter.base.units import format_bytes
from remediator.model.task import TaskError
from remediator.neo4jdump.admin_dump import DumpBroken, DumpStream, DumpUnknown
from remediator.neo4jdump.lines import ExportBroken, ExportStream
from remediator.tasks.backup.age import Readable, Undecryptable, plain, plain_pipe
from remediator.tasks.backup.into import in_memory
from remediator.tasks.backup.piped import Piped
from remediator.tasks.backup.sink import CHUNK
from remediator.tasks.backup.sources.neo4j_dump import FORM
from remediator.tasks.backup.sources.postgres import clients
from remediator.tasks.backup.sources.sqlite import complaints, describe
from remediator.tasks.backup_verification.dump_rows import DumpRows, RowsUnclear, unquoted

_IDLE_SECONDS = 900.0
_ROLE = re.compile(r'^CREATE ROLE ("(?:[^"]|"")*"|[^";]+);', re.M)


class Unreadable(Exception):
    """A member is not what it was. The message says what is wrong, on one line."""


@dataclass(frozen=True)
class SetContent:
    """The files of a set. identity: file of the key of those that are encrypted."""

    directory: Path
    stop: threading.Event
    identity: str | None = None

    def plain(self, path: str) -> AbstractContextManager[Readable]:
        return plain(self.directory, path, self.identity, self.stop)


Reads = Callable[[SetContent, Member], str]
"""Reads a member of a set; what it found, for people. Raises Unreadable, Undecryptable, TaskError, Stopped, OSError."""


def read_member(directory: Path, member: Member, stop: threading.Event, identity: str | None = None) -> str:
    """As Reads, by the member's kind. TaskError: it cannot be told, such as for want of a program or of the key."""
    reads = _READERS.get(member.kind)
    if reads is None:
        raise TaskError(f"{member.key} is of a kind that this Upkeeper cannot read; a newer one made the set")
    try:
        return reads(SetContent(directory, stop, identity), member)
    except Undecryptable as error:
        raise Unreadable(str(error)) from None


def problems(
    directory: Path, manifest: Manifest, stop: threading.Event, identity: str | None = None
) -> tuple[list[str], list[str]]:
    """What is wrong with the members of a set, and what was found of the others. Blocks. Raises TaskError, Stopped.

    identity: file of the key of an encrypted set.
    """
    wrong: list[str] = []
    found: list[str] = []
    for member in manifest.members:
        try:
            found.append(f"{member.label}: {read_member(directory, member, stop, identity)}")
        except Unreadable as error:
            wrong.append(f"{member.label}: {error}")
        except OSError as error:
            wrong.append(f"{member.label}: cannot be read: {error.strerror or error}")
    return wrong, found


def unpacked(content: SetContent, path: str) -> Iterator[bytes]:
    """What is in a file of a set that was compressed, in pieces. Raises Unreadable unless it is one whole frame."""
    import zstandard

    with content.plain(path) as file:
        frame = zstandard.ZstdDecompressor().decompressobj()
        try:
            while not frame.eof and (data := file.read(CHUNK)):
                yield frame.decompress(data)
        except zstandard.ZstdError as error:
            raise Unreadable(f"{path} cannot be unpacked: {error}") from None
        if not frame.eof:
            raise Unreadable(f"{path} ends early")
        if frame.unused_data or file.read(1):
            raise Unreadable(f"{path} goes on after its end")


def _archive(content: SetContent, member: Member) -> str:
    seen = TarStream()
    for path in member.files:
        try:
            for data in unpacked(content, path):
                seen.write(data)
            seen.finish()
        except TarBroken as error:
            raise Unreadable(f"{path} {error}") from None
    _compare("entries", member.facts.get("entries"), seen.entries)
    _compare("bytes", member.facts.get("content_bytes"), seen.bytes)
    return counted(seen.entries, "entry", "entries")


def _sqlite(content: SetContent, member: Member) -> str:
    (path,) = member.files
    with _as_file(content, path) as file:
        wrong = complaints(file)
        if wrong:
            raise Unreadable(f"SQLite finds: {wrong[0]}")
        try:
            rows = describe(file)["rows"]
        except sqlite3.Error as error:
            raise Unreadable(str(error)) from None
    _compare_rows(member.facts.get("rows", {}), rows if isinstance(rows, dict) else {})
    return f"{_total(rows)} rows"


@contextmanager
def _as_file(content: SetContent, path: str) -> Iterator[Path]:
    """A file of a set for who has to seek in it: one that is encrypted is in memory within the block."""
    at = content.directory / path
    if not path.endswith(ENCRYPTED_SUFFIX):
        yield at
        return
    with in_memory(at.stat().st_size) as directory, content.plain(path) as file:
        target = directory / "database.sqlite"
        with target.open("wb") as copy:
            while data := file.read(CHUNK):
                copy.write(data)
        yield target


def _postgres(content: SetContent, member: Member) -> str:
    major = int(str(member.facts.get("client_version", "0")).split(".")[0])
    client = clients.best(clients.installed(), major)
    with content.plain(member.files[0]) as file:
        script = b"".join(iter(lambda: file.read(CHUNK), b""))
    roles = _roles(script.decode("utf-8", "surrogateescape"))
    for role in member.facts.get("roles", []):
        if role not in roles:
            raise Unreadable(f"the role {role} is not in {member.files[0]}")
    total = 0
    databases: Mapping[str, Any] = member.facts.get("databases", {})
    for name, facts in databases.items():
        rows = _rows_of_dump(client.program("pg_restore"), content, str(facts["file"]), name)
        wanted = {unquoted(table): count for table, count in facts["rows"].items()}
        if member.facts.get("rows_left_out"):
            wanted = {table: count for table, count in wanted.items() if table in rows}
        _compare_rows(wanted, rows, f"database {name}: ")
        total += sum(rows.values())
    return f"{counted(len(databases), 'database')}, {counted(total, 'row')}"


def _neo4j(content: SetContent, member: Member) -> str:
    if member.facts.get("form") == FORM:
        return _neo4j_dumps(content, member)
    nodes = relationships = 0
    databases: Mapping[str, Any] = member.facts.get("databases", {})
    for name, facts in databases.items():
        seen = ExportStream()
        try:
            for data in unpacked(content, str(facts["file"])):
                for _ in seen.lines(data):
                    pass
            seen.finish()
        except ExportBroken as error:
            raise Unreadable(f"the export of {name} {error}") from None
        for what, found in seen.counts.facts().items():
            if facts.get(what) != found:
                raise Unreadable(f"database {name} has {what} {found}, where {facts.get(what)} were backed up")
        nodes += seen.counts.nodes
        relationships += seen.counts.relationships
    return f"{counted(len(databases), 'database')}, {counted(nodes, 'node')}, {counted(relationships, 'relationship')}"


def _neo4j_dumps(content: SetContent, member: Member) -> str:
    """By what is in them: ``neo4j-admin database load --info`` takes half a dump for a whole one."""
    databases: Mapping[str, Any] = member.facts.get("databases", {})
    total = 0
    for name, facts in databases.items():
        seen = DumpStream()
        try:
            with content.plain(str(facts["file"])) as file:
                while data := file.read(CHUNK):
                    seen.write(data)
            seen.finish()
        except (DumpBroken, DumpUnknown) as error:
            raise Unreadable(f"the dump of {name} {error}") from None
        for what, found in (("store_files", seen.files), ("store_bytes", seen.bytes)):
            if facts.get(what) != found:
                raise Unreadable(f"the dump of {name} has {what} {found}, where {facts.get(what)} were backed up")
        total += seen.bytes
    return f"{counted(len(databases), 'dump')} of Neo4j, {format_bytes(total)}"


def _rows_of_dump(program: str, content: SetContent, path: str, name: str) -> dict[str, int]:
    command = [program, "--data-only", "--file=-"]
    if not path.endswith(ENCRYPTED_SUFFIX):
        return _rows_of(Piped([*command, str(content.directory / path)], content.stop, idle=_IDLE_SECONDS), name)
    with plain_pipe(content.directory, path, content.identity, content.stop) as dump:
        return _rows_of(Piped(command, content.stop, stdin=dump, idle=_IDLE_SECONDS), name)


def _rows_of(program: Piped, name: str) -> dict[str, int]:
    """What pg_restore says of a dump. Raises Unreadable."""
    seen = DumpRows()
    with program as restore:
        try:
            while data := restore.read(CHUNK):
                seen.write(data)
            status, said = restore.end()
            if status:
                raise Unreadable(f"database {name}: {said[-1] if said else f'pg_restore ended with {status}'}")
            seen.finish()
        except RowsUnclear as error:
            raise Unreadable(f"database {name}: {error}") from None
    return seen.rows


def _roles(script: str) -> set[str]:
    return {
        role[1:-1].replace('""', '"') if role.startswith('"') else role for role in _ROLE.findall(script)
    }  # fmt: skip


def _compare(what: str, wanted: object, found: int) -> None:
    if wanted is not None and wanted != found:
        raise Unreadable(f"it holds {found} {what}, where {wanted} were backed up")


def _compare_rows(wanted: Mapping[str, Any], found: Mapping[str, Any], where: str = "") -> None:
    for table, rows in wanted.items():
        if found.get(table, 0) != rows:
            raise Unreadable(f"{where}{table} has {found.get(table, 0)} rows, where {rows} were backed up")


def _total(rows: object) -> int:
    return sum(rows.values()) if isinstance(rows, dict) else 0


_READERS: Mapping[str, Reads] = {
    "files": _archive,
    "volumes": _archive,
    "sqlite": _sqlite,
    "postgres": _postgres,
    "neo4j": _neo4j,
}
