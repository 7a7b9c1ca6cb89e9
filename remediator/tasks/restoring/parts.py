"""Which parts of a set are meant. Pure."""

import os.path
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.backups.manifest import Manifest, Member, SetFile
from exporter.base.text import nearest
from remediator.model.task import TaskError

WORDS = {"files": "file", "volumes": "volume", "sqlite": "sqlite", "postgres": "postgres", "neo4j": "neo4j"}
"""What begins the name of a part, by the kind of the member that it is in."""
_SERVERS = {"postgres": "PostgreSQL", "neo4j": "Neo4j"}
FORMS = "file:PATH, volume:NAME, sqlite:NAME, postgres:SERVER or neo4j:SERVER, of either SERVER/DATABASE"


@dataclass(frozen=True)
class Part:
    """A member of a set, or one thing in it."""

    member: Member
    path: str | None = None
    """Of an archive: only this, as the archive has it, with all below it."""
    database: str | None = None
    """Of a server: only this database."""

    def __str__(self) -> str:
        word = WORDS.get(self.member.kind, self.member.kind)
        if self.path is not None:
            return f"{word}:/{self.path.removeprefix('./')}"
        if self.member.kind == "files":
            return "files"
        return f"{word}:{self.member.name}" + ("" if self.database is None else f"/{self.database}")

    @property
    def is_archive(self) -> bool:
        return self.member.kind in ("files", "volumes")

    def files(self, manifest: Manifest) -> list[SetFile]:
        """The files of the set that it is in."""
        wanted = set(self.member.files)
        if self.database is not None:
            wanted = {str(databases(self.member)[self.database]["file"])}
        return [file for file in manifest.files if file.path in wanted]


def databases(member: Member) -> Mapping[str, Mapping[str, Any]]:
    """What the backup wrote down of each database of a server."""
    found = member.facts.get("databases", {})
    return found if isinstance(found, dict) else {}


def chosen(manifest: Manifest, only: Sequence[str]) -> list[Part]:
    """The parts of a set that these names mean; all of it where there is none. Raises TaskError.

    In the set's own order, and each once.
    """
    if not manifest.members:
        raise TaskError("its manifest says what its files are, and not what is in them: copy them by hand")
    if not only:
        return [Part(member) for member in manifest.members]
    parts = [_part(manifest, name) for name in only]
    order = [member.key for member in manifest.members]
    return sorted({str(part): part for part in parts}.values(), key=lambda part: order.index(part.member.key))


def _part(manifest: Manifest, name: str) -> Part:
    word, colon, rest = name.partition(":")
    kinds = [kind for kind, its in WORDS.items() if word in (its, kind)]
    if name == "files":
        kinds, rest = ["files"], ""
    elif not colon or not rest:
        raise TaskError(f"{name!r} names no part of a set; write {FORMS}")
    kind = kinds[0] if kinds else word
    members = {member.name: member for member in manifest.members if member.kind == kind}
    if kind == "files":
        return _of_files(members, rest)
    if kind in _SERVERS and rest not in members:
        server, _, database = rest.partition("/")
        if server in members and database:
            return _of_server(members[server], database)
    if rest not in members:
        known = [str(Part(member)) for member in manifest.members]
        hint = nearest(name, known) or f"it has {', '.join(known)}"
        raise TaskError(f"{name} is not in the set; {hint}")
    return Part(members[rest])


def _of_files(members: Mapping[str, Member], path: str) -> Part:
    if not members:
        raise TaskError("no files are in the set")
    member = next(iter(members.values()))
    if not path:
        return Part(member)
    wanted = os.path.normpath(path)
    roots = [str(root) for root in member.facts.get("paths", [])]
    if not wanted.startswith("/") or not any(_is_below(wanted, root) for root in roots):
        raise TaskError(f"{path} is not among the files of the set, which are {', '.join(roots)}")
    below = wanted.lstrip("/")
    return Part(member, path=f"./{below}" if "/" in roots else below)  # as tar was told to name it


def _of_server(member: Member, database: str) -> Part:
    found = databases(member)
    if database not in found:
        raise TaskError(
            f"{_SERVERS[member.kind]} {member.name} has no database {database!r} in the set; it has {', '.join(found)}"
        )
    return Part(member, database=database)


def _is_below(path: str, root: str) -> bool:
    top = os.path.normpath(root)
    return path == top or path.startswith(f"{top.rstrip('/')}/")
