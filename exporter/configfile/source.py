"""YAML with positions: the data of one document, and the line and column that each key and value stands on."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import yaml

from exporter.base.errors import UpkeeperError
from exporter.configfile.dialect import REFERENCE, TAG, Loader, is_timestamp

KeyPath = tuple[str | int, ...]
"""Keys and list indexes from the top of the document down to a value."""

MAX_VALUES = 100_000
"""A document whose aliases unfold to more values than this is refused: it could fill the memory from a few lines."""

_NAMED = re.compile("(alias|anchor|tag handle) '[^']*'")
"""Where PyYAML's errors repeat what stands in the file, which may be a secret that lacks its quotes."""

_SURROGATE = re.compile("[\ud800-\udfff]")


TIMESTAMP = TAG + "timestamp"
"""For text without quotes that YAML 1.1, and Go's library for it, takes for a time."""


class SourceError(UpkeeperError):
    """The text cannot be read as a config. line and column count from 1."""

    def __init__(self, message: str, hint: str = "", *, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.line = line
        self.column = column

    @classmethod
    def at(cls, node: yaml.Node, message: str, hint: str = "") -> "SourceError":
        """The error of a node."""
        return cls(message, hint, line=node.start_mark.line + 1, column=node.start_mark.column + 1)


@dataclass(frozen=True)
class Position:
    """A place in the text, counted from 1."""

    line: int
    column: int


@dataclass
class Source:
    """A document's data, where its parts stand, and what is wrong with it apart from its meaning."""

    data: dict[str, Any] = field(default_factory=dict)
    keys: dict[KeyPath, Position] = field(default_factory=dict)
    """Where the key of a value stands; of a list's item, where the item begins."""
    values: dict[KeyPath, Position] = field(default_factory=dict)
    """Where a value that is no mapping and no list stands, unless it is written elsewhere, under an anchor."""
    from_environment: dict[KeyPath, str] = field(default_factory=dict)
    """The values that hold something of the environment, so are perhaps secret, as they are written in the file."""
    errors: list[tuple[KeyPath, SourceError]] = field(default_factory=list)
    tags: dict[KeyPath, str] = field(default_factory=dict)
    """The tags that were allowed, by the path of what they stand before; TIMESTAMP where YAML 1.1 has a time."""

    def position(self, path: KeyPath) -> Position | None:
        """The place of a key or item, or of the nearest that encloses it; None for the document as a whole."""
        while path and path not in self.keys:
            path = path[:-1]
        return self.keys.get(path)

    def value(self, path: KeyPath) -> Any:
        """The value at a path. Raises KeyError or IndexError when there is none."""
        value: Any = self.data
        for part in path:
            value = value[part]
        return value


def read_source(text: bytes, environment: Mapping[str, str] | None) -> Source:
    """Parses one YAML document, with ``${NAME}`` in strings replaced from the environment and ``$$`` by ``$``.

    With no environment (None) dollar signs mean themselves.
    Raises SourceError when the text is no YAML mapping; lesser errors, each with its path, are listed in the result.
    """
    with _loader(text) as loader:
        node = _document(loader.get_single_node())
        return Source() if node is None else _Builder(loader, environment).build(node)


def read_documents(text: bytes, tags: Collection[str]) -> list[Source]:
    """Parses the YAML documents of a file that is none of ours: dollar signs mean themselves, and ``<<`` stands once.

    tags: those that may stand in it, as in ``!reset``.
    Raises SourceError as read_source does.
    """
    found: list[Source] = []
    with _loader(text) as loader:
        while loader.check_node():
            node = _document(loader.get_node())
            if node is not None:
                found.append(_Builder(loader, None, tags, merge_once=True).build(node))
    return found


@contextmanager
def _loader(text: bytes) -> Iterator[Loader]:
    """A parser of a text. What it raises is raised as SourceError."""
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise SourceError("the file is not UTF-8 text", "save it as UTF-8", line=line) from error
    try:
        loader = Loader(decoded)
    except yaml.reader.ReaderError as error:
        raise _control_character(decoded, error) from error
    try:
        yield loader
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error) from error
    except yaml.reader.ReaderError as error:
        raise _control_character(decoded, error) from error
    except RecursionError as error:
        raise SourceError("the document is nested too deeply", "a config needs about five levels", line=1) from error
    finally:
        loader.dispose()


def _document(node: yaml.Node | None) -> yaml.MappingNode | None:
    """A document, None for an empty one. Raises SourceError where it is no mapping."""
    if node is None or node.tag == TAG + "null":
        return None
    if not isinstance(node, yaml.MappingNode):
        raise SourceError.at(node, "the file must hold a mapping of sections", "begin with a key such as `logs:`")
    return node


def _syntax_error(error: yaml.MarkedYAMLError) -> SourceError:
    mark, start = error.problem_mark or error.context_mark, error.context_mark
    problem = error.problem or error.context or ""
    if problem.startswith("but "):
        problem = f"{error.context}, {problem}"
    problem = _NAMED.sub(r"\1", problem)
    hint = next((hint for words, hint in _SYNTAX_HINTS if words in problem), "check indentation, quotes and colons")
    if start and re.search("quoted|flow", str(error.context)):
        hint = f"close the quotes or brackets that begin on line {start.line + 1}; quote text with special characters"
    return SourceError(
        f"not YAML: {problem}", hint, line=mark.line + 1 if mark else None, column=mark.column + 1 if mark else None
    )


_SYNTAX_HINTS = (
    ("\\t", "indent with spaces, not tabs"),
    ("mapping values", "put a space after each colon, here and on the line before; quote text with colons"),
    ("<block end>", "the lines of one level must have the same indentation"),
    ("undefined alias", "write &name before the value it refers to, or quote text with an asterisk"),
    ("cannot start any token", "put the text in quotes"),
    ("another document", "remove the line of three dashes"),
)
"""What to do about PyYAML's complaints, by words in them."""


def _control_character(text: str, error: yaml.reader.ReaderError) -> SourceError:
    before = text[: error.position]
    return SourceError(
        f"not YAML: the character {chr(error.character)!a} is not allowed",
        'remove it, or write it as an escape in double quotes, as in "\\x1b"',
        line=before.count("\n") + 1,
        column=len(before) - before.rfind("\n"),
    )


_Entries = Mapping[str, tuple[yaml.Node, yaml.Node]]
"""Key and value nodes of a mapping, by key."""


class _Builder:
    """Walks the nodes of a document, once."""

    def __init__(
        self,
        loader: Loader,
        environment: Mapping[str, str] | None,
        tags: Collection[str] = (),
        *,
        merge_once: bool = False,
    ) -> None:
        self._loader = loader
        self._environment = environment
        self._tags = tags
        self._merge_once = merge_once
        self._source = Source()
        self._open: list[yaml.Node] = []
        self._entries_of: dict[int, _Entries] = {}
        self._count = 0

    def build(self, node: yaml.MappingNode) -> Source:
        self._source.data = self._value(node, ())
        return self._source

    def _value(self, node: yaml.Node, path: KeyPath) -> Any:
        self._count += 1
        if self._count > MAX_VALUES:
            raise SourceError.at(node, f"the document unfolds to more than {MAX_VALUES:,} values", "use fewer aliases")
        self._refuse_tag(node, path)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._enter(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
        finally:
            self._open.pop()

    def _enter(self, node: yaml.Node) -> None:
        if any(node is one for one in self._open):
            raise SourceError.at(node, "an alias refers to a value that contains it", "write out what you mean")
        self._open.append(node)

    def _refuse_tag(self, node: yaml.Node, path: KeyPath) -> None:
        """A tag makes a value something else than it looks like; no config needs that, but for ``!!str``."""
        plain = isinstance(node, yaml.ScalarNode) and node.style is None
        implicit = self._loader.resolve(type(node), node.value, (plain, not plain))  # type: ignore[no-untyped-call]
        if node.tag in self._tags:
            self._source.tags[path] = node.tag
            node.tag = implicit
        elif node.tag not in (TAG + "str", implicit):
            raise SourceError.at(node, "tags are not supported here", "remove what begins with !, or quote the text")

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name, (key_node, value_node) in self._entries(node, path).items():
            inner = (*path, name)
            self._source.keys[inner] = _position(key_node)
            if isinstance(value_node, yaml.ScalarNode) and value_node.start_mark.index > key_node.start_mark.index:
                self._source.values[inner] = _position(value_node)
            data[name] = self._value(value_node, inner)
        return data

    def _item(self, node: yaml.Node, path: KeyPath) -> Any:
        self._source.keys[path] = _position(node)
        return self._value(node, path)

    def _entries(self, node: yaml.MappingNode, path: KeyPath) -> _Entries:
        """The entries of a mapping, the merged ones (``<<``) first: its own win, then what is merged earlier."""
        if id(node) in self._entries_of:
            return self._entries_of[id(node)]
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merge_node: yaml.Node | None = None
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise SourceError.at(key_node, "a key must be a word", "keys are words such as `logs`")
            _refuse_surrogates(key_node)
            name = str(key_node.value)
            if key_node.tag == TAG + "merge":
                if merge_node is not None and self._merge_once:
                    self._repeated(key_node, merge_node, (*path, name), "write `<<: [*one, *other]`")
                merge_node = key_node
                for mapping in _mergeable(value_node):
                    self._enter(mapping)
                    merged = {**self._entries(mapping, path), **merged}
                    self._open.pop()
            elif name in own:
                self._repeated(key_node, own[name][0], (*path, name), "keep one")
            else:
                own[name] = key_node, value_node
        self._entries_of[id(node)] = {**merged, **own}
        return self._entries_of[id(node)]

    def _repeated(self, node: yaml.Node, other: yaml.Node, path: KeyPath, remedy: str) -> None:
        hint = f"the other is on line {other.start_mark.line + 1}; {remedy}"
        self._source.errors.append((path, SourceError.at(node, "duplicate key", hint)))

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        _refuse_surrogates(node)
        value = self._loader.construct_object(node)
        if self._tags and node.style is None and isinstance(value, str) and is_timestamp(value):
            self._source.tags.setdefault(path, TIMESTAMP)
        return self._substituted(value, node, path) if isinstance(value, str) else value

    def _substituted(self, text: str, node: yaml.Node, path: KeyPath) -> str:
        environment = self._environment
        if environment is None:
            return text

        def replace(match: re.Match[str]) -> str:
            name = match.group(1)
            if match.group(0) == "$$":
                return "$"
            value = environment.get(name) if name else None
            if value is None or _SURROGATE.search(value):
                self._source.errors.append((path, _bad_reference(match.group(0), name, value, node)))
                return ""
            self._source.from_environment[path] = text
            return value

        return REFERENCE.sub(replace, text)


def _mergeable(node: yaml.Node) -> Iterator[yaml.MappingNode]:
    for one in node.value if isinstance(node, yaml.SequenceNode) else [node]:
        if not isinstance(one, yaml.MappingNode):
            raise SourceError.at(one, "only mappings can be merged", "write `<<: *name` of an anchored mapping")
        yield one


def _position(node: yaml.Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def _refuse_surrogates(node: yaml.ScalarNode) -> None:
    """They come from escapes, and can be neither stored nor shown."""
    if _SURROGATE.search(node.value):
        raise SourceError.at(node, "this text contains half of a surrogate pair", "write the character itself")


def _bad_reference(text: str, name: str | None, value: str | None, node: yaml.Node) -> SourceError:
    if name is None:
        hint = "write ${NAME}, or $$ for a dollar sign"
        return SourceError.at(node, f"{text!r} is not a reference to the environment", hint)
    if value is None:
        return SourceError.at(node, f"the environment has no variable {name}", "set it, or use a *_file key")
    return SourceError.at(node, f"the variable {name} of the environment is not UTF-8 text", "set it again")
