"""A Compose file as a tree that knows the place of each of its parts, with variables replaced."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from exporter.configfile.source import KeyPath, Source, read_documents
from exporter.findings.files import TextFile
from exporter.findings.finding import Place, Severity
from exporter.findings.interpolate import BadReference, Interpolated, Use, interpolate

TAGS = frozenset({"!reset", "!override"})
MAX_CHARACTERS = 16 * 1024 * 1024
"""Characters that the texts of one file may grow to: a long variable, used often, could fill the memory."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its place. A mapping's values and a list's items are nodes again."""

    value: Any = field(repr=False)
    place: Place
    written: str = field(default="", repr=False)
    """A text as it is written, before variables were replaced."""
    own: str = field(default="", repr=False)
    """What of a text is written here and in force. See exporter.findings.interpolate.Interpolated."""
    tag: str = ""

    @property
    def mapping(self) -> Mapping[str, "Node"]:
        """Its entries; none if it is no mapping."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list["Node"]:
        """A list's items; none if it is no list."""
        return self.value if isinstance(self.value, list) else []

    @property
    def text(self) -> str:
        """A scalar as text, empty for null and for what is no scalar."""
        if self.value is None or isinstance(self.value, dict | list):
            return ""
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)

    @property
    def literal(self) -> bool:
        """Whether it is written out here, without a variable."""
        return "$" not in self.written.replace("$$", "")

    @property
    def true(self) -> bool:
        return self.text.lower() in ("true", "yes", "on", "1")

    def at(self, *path: str) -> "Node | None":
        """What stands below it, None when there is nothing."""
        node: Node | None = self
        for key in path:
            node = node.mapping.get(key) if node is not None else None
        return node

    def with_value(self, value: Any) -> "Node":
        return replace(self, value=value)


@dataclass(frozen=True, slots=True)
class VariableUse:
    """A variable used at a place."""

    use: Use
    place: Place


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that Compose would stumble over."""

    place: Place
    message: str
    remedy: str = ""
    """What to do about it, where that can be told."""
    severity: Severity = "critical"


@dataclass
class Tree:
    """A file's tree, and what was noticed on the way."""

    root: Node
    uses: list[VariableUse] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)


def read_trees(file: TextFile, variables: Mapping[str, str]) -> list[Tree]:
    """The trees of a YAML file, one a document; an empty file has one. Raises SourceError, which quotes nothing."""
    trees: list[Tree] = []
    for source in read_documents(file.data, TAGS) or [Source()]:
        tree = Tree(Node(None, Place(file.path)))
        tree.root = _Planter(file.path, source, variables, tree).node(source.data, ())
        tree.flaws += [Flaw(Place(file.path, error.line), str(error)) for _, error in source.errors]
        trees.append(tree)
    return trees


class _Planter:
    def __init__(self, path: str, source: Source, variables: Mapping[str, str], tree: Tree) -> None:
        self._path = path
        self._source = source
        self._variables = variables
        self._tree = tree
        self._grown = 0

    def node(self, data: Any, path: KeyPath) -> Node:
        position = self._source.values.get(path) or self._source.position(path)
        place = Place(self._path, position.line if position else None)
        tag = self._source.tags.get(path, "")
        if isinstance(data, dict):
            return Node({key: self.node(value, (*path, key)) for key, value in data.items()}, place, tag=tag)
        if isinstance(data, list):
            return Node([self.node(value, (*path, index)) for index, value in enumerate(data)], place, tag=tag)
        if not isinstance(data, str):
            return Node(data, place, str(data), str(data), tag)
        found = self._text(data, place)
        return Node(found.text, place, data, found.own, tag)

    def _text(self, text: str, place: Place) -> Interpolated:
        try:
            found = interpolate(text, self._variables)
            self._grown += len(found.text)
            if self._grown > MAX_CHARACTERS:
                raise BadReference("its variables make the file grow too long")
        except BadReference as error:
            self._tree.flaws.append(Flaw(place, str(error)))
            return Interpolated("")
        self._tree.uses += [VariableUse(use, place) for use in found.uses]
        return found


def plain(node: Node) -> Any:
    """What a node holds, without places: two that hold the same are equal."""
    if node.mapping:
        return {key: plain(value) for key, value in node.mapping.items()}
    return [plain(item) for item in node.items] if node.items else node.value


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    for child in (*node.mapping.values(), *node.items):
        yield from walk(child)
