"""The single files of a Compose project: read once, their variables replaced, their services in one form."""

from collections.abc import Callable, Collection, Mapping, Sequence

from exporter.base.text import printable
from exporter.configfile.source import SourceError
from exporter.findings.compose_tree import Flaw, Node, VariableUse, read_trees
from exporter.findings.envfile import EnvFile, Resolved, parse_env
from exporter.findings.files import TextFile, Unreadable
from exporter.findings.finding import Place, Severity, word
from exporter.findings.merge import merge, misshapen, normalized
from exporter.findings.paths import joined
from exporter.findings.paths import name as name_of
from exporter.findings.project import Project

MAX_FILES = 100
"""Files of one project."""

Read = Callable[[str], TextFile]

_OF_NAMES = ("services", "networks", "volumes", "secrets", "configs", "models")
SECTIONS = frozenset({"version", "name", "include", *_OF_NAMES})
"""https://docs.docker.com/reference/compose-file/"""

_DOLLAR = "put the value in single quotes, or write $$ for a dollar sign"


class ComposeFiles:
    """Reads files into a project, and notes in it what is wrong with them.

    read: raises Unreadable.
    """

    def __init__(self, project: Project, read: Read) -> None:
        self._project = project
        self._read = read
        self._trees: dict[tuple[str, int], Node] = {}

    def variables(self, env_files: Sequence[str], directory: str, outer: Mapping[str, str]) -> dict[str, str]:
        """What a project's files can refer to: its env files, later ones over earlier ones, and what is set outside.

        env_files: none means ``.env`` in the project's directory, if there is one.
        """
        values: dict[str, str] = {}
        read: list[tuple[EnvFile, Resolved]] = []
        unread = len(self._project.unread)
        for path in env_files or [joined(directory, ".env")]:
            env = self.env_file(path, required=bool(env_files), place=self._project.place())
            if env is not None:
                all_known = len(self._project.unread) == unread
                read.append((env, self.resolved(env, outer, values, all_known=all_known)))
                values |= read[-1][1].values
        self._project.variables_unread |= len(self._project.unread) > unread
        self.in_force(read, outer)
        return {**values, **outer}

    def resolved(
        self,
        env: EnvFile,
        outer: Mapping[str, str],
        earlier: Mapping[str, str],
        severity: Severity = "critical",
        *,
        all_known: bool = True,
    ) -> Resolved:
        """An env file with its references replaced; what is wrong with it is noted. See EnvFile.resolve."""
        resolved = env.resolve(outer, earlier, all_known=all_known)
        self._project.uses += [VariableUse(use, Place(env.path, line)) for line, use in resolved.uses]
        if severity == "critical":
            self._project.needed_env_files.add(env.path)
        for bad in resolved.bad:
            message = f"the value of {word(bad.name)} cannot be read: {bad.reason}"
            self._project.flaws.append(Flaw(Place(env.path, bad.line), message, _DOLLAR, severity))
        return resolved

    def in_force(self, read: Sequence[tuple[EnvFile, Resolved]], over: Collection[str]) -> None:
        """Notes what files set that neither a later one sets again nor anything that goes over them all."""
        done = set(over)
        for env, resolved in reversed(read):
            texts = {name: own for name, own in resolved.own.items() if name not in done}
            self._project.env_texts.setdefault(env.path, {}).update(texts)
            done |= resolved.own.keys()

    def env_file(self, path: str, *, required: bool, place: Place, raw: bool = False) -> EnvFile | None:
        """An env file; None, with the reason noted if it is required, when it cannot be read. place: what names it."""
        if path in self._project.env_files:
            return self._project.env_files[path]
        file = self.file(path, place, required=required)
        if file is None:
            return None
        env = self._project.env_files[path] = parse_env(file, raw=raw)
        return env

    def file(self, path: str, place: Place, *, required: bool = True) -> TextFile | None:
        """A file, read once; None, with the reason noted, when it cannot be. Only if required may it not be missing."""
        if path in self._project.read:
            return self._project.read[path]
        if len(self._project.read) >= MAX_FILES:
            self._project.unread.append(f"{printable(path)} is left out: the project has more than {MAX_FILES} files")
            return None
        try:
            file = self._project.read[path] = self._read(path)
        except Unreadable as error:
            if required or not error.missing:
                self._unreadable(error)
            if required and error.missing and path not in self._project.files:
                self._project.flaws.append(Flaw(place, f"the file {printable(path)} that it names does not exist"))
            return None
        return file

    def _unreadable(self, error: Unreadable) -> None:
        self._project.unread.append(str(error))
        self._project.unreadable.append(str(error))

    def root(self, path: str, variables: Mapping[str, str], place: Place | None = None) -> Node | None:
        """The tree of a file, each service in its normal form; None, with the reason noted, when there is none."""
        key = (path, id(variables))
        if key in self._trees:
            return self._trees[key]
        file = self.file(path, place or self._project.place())
        if file is None:
            return None
        try:
            trees = read_trees(file, variables)
        except SourceError as error:
            self._project.flaws.append(Flaw(Place(path, error.line), str(error)))
            self._project.unread.append(f"{printable(path)} cannot be read: it is not valid YAML")
            return None
        root: Node | None = None
        for tree in trees:  # Compose lays the documents of a file over each other
            self._project.uses += tree.uses
            self._project.flaws += tree.flaws
            root = merge(root, self._with_services(tree.root))
        if root is not None:
            self._trees[key] = root
        return root

    def _with_services(self, root: Node) -> Node:
        """A document with each service in its normal form, those left out that are none."""
        for key, node in root.mapping.items():
            if key not in SECTIONS and not key.startswith("x-"):
                self._project.flaws.append(Flaw(node.place, f"{word(key)} is not a section of a Compose file"))
            elif key in _OF_NAMES and not isinstance(node.value, dict | None) and not node.tag:
                self._project.flaws.append(Flaw(node.place, f"`{key}` must be a mapping"))
        services = root.at("services")
        if services is None or services.value is None:
            return root
        known: dict[str, Node] = {}
        for name, service in services.mapping.items():
            if isinstance(service.value, dict) or service.tag:
                self._project.flaws += list(misshapen(name, service))
                known[name] = normalized(service)
            else:
                self._project.flaws.append(Flaw(service.place, f"the service {word(name)} must be a mapping"))
        return root.with_value({**root.mapping, "services": services.with_value(known)})


def ambient(directory: str) -> Mapping[str, str]:
    """Variables that every shell has, or Compose sets by itself."""
    return {
        "HOME": joined("/", "~"),
        "PWD": directory,
        "USER": "user",
        "COMPOSE_PROJECT_NAME": name_of(directory).lower(),
    }
