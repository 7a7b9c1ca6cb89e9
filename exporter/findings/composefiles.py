"""The single files of a Compose project: read once, their variables replaced, their services in one form."""

from collections.abc import Callable, Mapping, Sequence

from exporter.base.text import printable
from exporter.configfile.source import SourceError
from exporter.findings.envfile import EnvFile, parse_env
from exporter.findings.files import TextFile, Unreadable
from exporter.findings.finding import Place, word
from exporter.findings.merge import normalized
from exporter.findings.paths import joined
from exporter.findings.paths import name as name_of
from exporter.findings.project import Project
from exporter.findings.tree import Flaw, Node, read_tree

MAX_FILES = 100
"""Files of one project."""

Read = Callable[[str], TextFile]


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
        variables = dict(outer)
        for path in env_files or [joined(directory, ".env")]:
            env = self.env_file(path, required=bool(env_files), place=self._project.place())
            if env is not None:
                variables |= env.values(outer)
        return variables

    def env_file(self, path: str, *, required: bool, place: Place) -> EnvFile | None:
        """An env file; None, with the reason noted if it is required, when it cannot be read. place: what names it."""
        if path in self._project.env_files:
            return self._project.env_files[path]
        file = self.file(path, place, required=required)
        if file is None:
            return None
        try:
            env = self._project.env_files[path] = parse_env(file)
        except Unreadable as error:
            self._unreadable(error)
            return None
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
            tree = read_tree(file, variables)
        except SourceError as error:
            self._project.flaws.append(Flaw(Place(path, error.line), str(error)))
            self._project.unread.append(f"{printable(path)} cannot be read: it is not valid YAML")
            return None
        self._project.uses += tree.uses
        self._project.flaws += tree.flaws
        root = tree.root
        services = root.at("services")
        if services is not None and services.value is not None:
            if not isinstance(services.value, dict):
                self._project.flaws.append(Flaw(services.place, "`services` must be a mapping"))
            for name, service in services.mapping.items():
                if not isinstance(service.value, dict) and not service.tag:
                    self._project.flaws.append(Flaw(service.place, f"the service {word(name)} must be a mapping"))
            known = {
                name: normalized(service)
                for name, service in services.mapping.items()
                if isinstance(service.value, dict) or service.tag
            }
            root = root.with_value({**root.mapping, "services": services.with_value(known)})
        self._trees[key] = root
        return root


def ambient(directory: str) -> Mapping[str, str]:
    """Variables that every shell has, or Compose sets by itself."""
    return {
        "HOME": joined("/", "~"),
        "PWD": directory,
        "USER": "user",
        "COMPOSE_PROJECT_NAME": name_of(directory).lower(),
    }
