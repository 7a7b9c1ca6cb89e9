"""Compose projects as Docker Compose reads them: several files laid over each other, ``include``, ``extends``.

By the Compose Specification, https://docs.docker.com/reference/compose-file/. Nothing is fetched from elsewhere: what
names a Git or OCI source is noted as not looked at. Every service is read, whatever its profile.
"""

from collections.abc import Mapping, Sequence

from exporter.base.text import printable
from exporter.findings.absolute_paths import rebase
from exporter.findings.compose_tree import Flaw, Node, plain
from exporter.findings.composefiles import ComposeFiles, Read, ambient
from exporter.findings.envfile import EnvFile, Resolved
from exporter.findings.finding import Place, Severity, word
from exporter.findings.merge import merge
from exporter.findings.paths import joined, parent
from exporter.findings.project import Invocation, Project, active_services

MAX_LOADS = 200
"""Times that anything is included: two files that each include the next twice would take for ever."""
MAX_EXTENDS = 20
"""Services that one extends by way of others."""
MAX_MERGED = 500_000
"""Entries that all services together may take over by ``extends``."""

_REMOTE = ("https://", "http://", "ssh://", "git://", "git@", "oci://", "github.com/")


def load_project(invocation: Invocation, read: Read) -> Project:
    """Reads a project. Blocks as ``read`` does. Whatever is wrong with it is in the result.

    read: raises Unreadable.
    """
    project = Project(invocation)
    loader = _Loader(project, read)
    loader.load(invocation.files, invocation.directory, invocation.env_files, ambient(invocation.directory), ())
    active = active_services(project, ())
    for name, service in project.services.items():
        loader.service_env_files(service, name in active)
    return project


_SECTIONS = ("volumes", "networks", "secrets", "configs", "models")


class _Stop(Exception):
    """The project cannot be known; why is in its flaws."""


class _Loader:
    def __init__(self, project: Project, read: Read) -> None:
        self._project = project
        self._files = ComposeFiles(project, read)
        self._scopes: list[Mapping[str, str]] = []
        self._included: list[dict[tuple[str, str], Node]] = []
        """Every set of variables, kept so that their ids stay theirs."""
        self._merged = 0
        self._rebased: dict[tuple[str, int], Node] = {}

    def load(
        self,
        files: Sequence[str],
        directory: str,
        env_files: Sequence[str],
        outer: Mapping[str, str],
        above: tuple[str, ...],
    ) -> None:
        """Adds a project, or one that it includes. above: the first files of those that include it."""
        if len(self._scopes) >= MAX_LOADS:
            self._project.unread.append(f"{printable(files[0])} is left out: there are too many includes")
            return
        variables = self._files.variables(env_files, directory, outer)
        self._scopes.append(variables)
        if not above:
            self._project.variables = variables
        merged: Node | None = None
        for path in files:
            root = self._files.root(path, variables)
            if root is None:
                return
            self._with_includes(root, directory, variables, (*above, path))
            try:
                root = self._extended(root, path, directory, variables)
            except _Stop:
                return
            merged = merge(merged, root)
        if merged is not None:
            self._add(rebase(merged, directory), bool(above))

    def _with_includes(self, root: Node, directory: str, variables: Mapping[str, str], above: tuple[str, ...]) -> None:
        """Adds what a file includes. What two of these define, or one of them and the file itself, is noted."""
        brought: dict[tuple[str, str], Node] = {}
        for entry in (root.at("include") or root).items:
            began = len(self._included)
            self._include(entry, directory, variables, above)
            new = {key: node for added in self._included[began:] for key, node in added.items()}
            for key in sorted(new.keys() & brought.keys()):
                if plain(new[key]) != plain(brought[key]):
                    self._conflict(key, new[key].place, brought[key].place)
            brought = {**new, **brought}
        own = _resources(root)
        for key in sorted(own.keys() & brought.keys()):
            if plain(own[key]) != plain(brought[key]):
                self._conflict(key, own[key].place, brought[key].place)

    def _conflict(self, key: tuple[str, str], place: Place, other: Place) -> None:
        section, name = key
        message = (
            f"the {section.removesuffix('s')} {word(name)} is also defined at {other.printable()}, which is included: "
            "Compose up to 2.40 refuses that, later ones take one of the two"
        )
        remedy = "rename one, or lay the files over each other: `include: [{path: [ONE, OTHER]}]`"
        self._project.flaws.append(Flaw(place, message, remedy, "warning"))

    def _add(self, merged: Node, included: bool) -> None:
        if included:
            self._included.append(_resources(merged))
        for section in _SECTIONS:
            node = merged.at(section)
            known = self._project.top.get(section)
            if node is not None:
                self._project.top[section] = merge(known, node) or node
        services = merged.at("services")
        for name, service in services.mapping.items() if services else ():
            if included or name not in self._project.services:
                self._project.services[name] = service
            else:  # a file may change services that it includes
                self._project.services[name] = merge(self._project.services[name], service) or service

    def _include(self, entry: Node, directory: str, variables: Mapping[str, str], above: tuple[str, ...]) -> None:
        """https://docs.docker.com/reference/compose-file/include/"""
        paths = entry.at("path") if entry.mapping else entry
        texts = [node.text for node in (paths.items or [paths])] if paths is not None else []
        if not all(texts) or not texts:
            self._project.flaws.append(Flaw(entry.place, "an entry of `include` names no file"))
            return
        if any(text.startswith(_REMOTE) for text in texts):
            self._project.unread.append(f"{entry.place} includes something that is not on this machine")
            return
        files = [joined(directory, text) for text in texts]
        if files[0] in above:
            self._project.flaws.append(Flaw(entry.place, "`include` is circular"))
            return
        own = entry.at("project_directory")
        inner = joined(directory, own.text) if own is not None and own.text else parent(files[0])
        env = entry.at("env_file")
        env_files = [joined(directory, node.text) for node in (env.items or [env])] if env is not None else []
        self.load(files, inner, env_files, variables, above)

    def _extended(self, root: Node, path: str, directory: str, variables: Mapping[str, str]) -> Node:
        services = root.at("services")
        if services is None:
            return root
        done = {
            name: self._extend(service, services, path, directory, variables, ((path, name),))
            for name, service in services.mapping.items()
        }
        return root.with_value({**root.mapping, "services": services.with_value(done)})

    def _extend(
        self,
        service: Node,
        services: Node,
        path: str,
        directory: str,
        variables: Mapping[str, str],
        above: tuple[tuple[str, str], ...],
    ) -> Node:
        """A service with that laid below it which it extends. Raises _Stop.

        directory: what the path of another file is relative to.

        https://docs.docker.com/reference/compose-file/services/#extends
        """
        extends = service.at("extends")
        if extends is None:
            return service
        wanted = extends.at("service") if extends.mapping else extends
        file = extends.at("file")
        name = wanted.text if wanted is not None else ""
        other, others, inner = path, services, directory
        if file is not None and file.text:
            if file.text.startswith(_REMOTE):
                self._project.unread.append(f"{extends.place} extends something that is not on this machine")
                return _without_extends(service)
            other = joined(directory, file.text)
            inner = parent(other)
            found = self._rebased_root(other, variables, extends.place)
            if found is None:
                raise _Stop
            others = found.at("services") or found.with_value({})
        if (other, name) in above or len(above) > MAX_EXTENDS:
            self._flaw(extends.place, "`extends` is circular")
        base = others.mapping.get(name)
        if base is None:
            self._flaw(extends.place, f"`extends` names {word(name)}, which is not a service of {printable(other)}")
        assert base is not None
        below = self._extend(base, others, other, inner, variables, (*above, (other, name)))
        self._merged += sum(len(node.mapping) + len(node.items) for node in below.mapping.values())
        if self._merged > MAX_MERGED:
            self._flaw(extends.place, "`extends` makes the services too large")
        return merge(below, _without_extends(service)) or service

    def _flaw(self, place: Place, message: str) -> None:
        self._project.flaws.append(Flaw(place, message))
        self._project.unread.append(f"{place}: the services are not known")
        raise _Stop

    def _rebased_root(self, path: str, variables: Mapping[str, str], place: Place) -> Node | None:
        """The tree of another file that is extended, whose paths are relative to it."""
        key = (path, id(variables))
        if key not in self._rebased:
            found = self._files.root(path, variables, place)
            if found is None:
                return None
            self._rebased[key] = rebase(found, parent(path))
        return self._rebased[key]

    def service_env_files(self, service: Node, active: bool) -> None:
        """Reads the files that ``env_file`` names, each with the variables of the project and of those before it.

        active: whether Compose looks at them. It does not where the service's profile is off.
        """
        node, environment = service.at("env_file"), service.at("environment")
        given = environment.mapping.items() if environment is not None else ()
        outer = {**{name: value.text for name, value in given if value.value is not None}, **self._project.variables}
        values: dict[str, str] = {}
        read: list[tuple[EnvFile, Resolved]] = []
        unread = len(self._project.unread)
        for entry in (node.items or [node]) if node is not None else ():
            required, kind = entry.at("required"), entry.at("format")
            path = entry.at("path") if entry.mapping else entry
            if path is not None and path.text:
                env = self._files.env_file(
                    path.text,
                    required=active and (required is None or required.true),
                    place=entry.place,
                    raw=kind is not None and kind.text == "raw",
                )
                if env is not None:
                    all_known = len(self._project.unread) == unread
                    severity: Severity = "critical" if active else "warning"
                    resolved = self._files.resolved(env, outer, values, severity, all_known=all_known)
                    read.append((env, resolved))
                    values |= resolved.values
        self._files.in_force(read, environment.mapping if environment is not None else ())


def _resources(root: Node) -> dict[tuple[str, str], Node]:
    """What a file defines, by section and name."""
    return {
        (section, name): one
        for section in (*_SECTIONS, "services")
        for name, one in (root.at(section) or Node(None, root.place)).mapping.items()
    }


def _without_extends(service: Node) -> Node:
    return service.with_value({key: node for key, node in service.mapping.items() if key != "extends"})
