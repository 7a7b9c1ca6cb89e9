"""Merging of Compose files: https://docs.docker.com/reference/compose-file/merge/"""

from collections.abc import Callable, Iterator, Mapping

from exporter.findings.compose_tree import Flaw, Node
from exporter.findings.finding import word

_AS_MAPPING = frozenset({"environment", "labels", "annotations", "args", "sysctls", "extra_hosts"})
"""Keys that may be a list of ``NAME=value`` instead of a mapping."""

_NAMES = frozenset({"depends_on", "networks"})
"""Keys that may be a list of names instead of a mapping."""

_LISTED = frozenset({"env_file", "label_file"})
"""Keys that may be a text instead of a list."""

_REPLACED = frozenset({"command", "entrypoint", "test"})
_UNIQUE = frozenset({"ports", "volumes", "secrets", "configs"})


def normalized(service: Node) -> Node:
    """A service in whose mappings a list stands for none: ``environment``, ``labels``, ``depends_on`` and the like."""
    entries: dict[str, Node] = {}
    for key, node in service.mapping.items():
        entries[key] = _normal(key, node)
    build = entries.get("build")
    if build is not None and "args" in build.mapping:
        entries["build"] = build.with_value({**build.mapping, "args": _normal("args", build.mapping["args"])})
    return service.with_value(entries) if isinstance(service.value, dict) else service


def misshapen(name: str, service: Node) -> Iterator[Flaw]:
    """What is neither a name nor ``NAME=value`` in lists of these, as in ``- NAME: value``."""
    for key, node in service.mapping.items():
        for item in node.items if key in _AS_MAPPING or key in _NAMES else ():
            if not isinstance(item.value, str):
                form = "a name" if key in _NAMES else "NAME=value"
                kind = "a mapping" if isinstance(item.value, dict | list) else "a number, true, false or null"
                yield Flaw(item.place, f"each item of `{key}` of {word(name)} must be {form}, not {kind}")


def _normal(key: str, node: Node) -> Node:
    if key in _LISTED and isinstance(node.value, str):
        return node.with_value([node])
    if not isinstance(node.value, list):
        return node
    if key in _NAMES:
        return node.with_value({item.text: _named(key, item) for item in node.value if item.text})
    if key in _AS_MAPPING:
        pairs: dict[str, Node] = {}
        for item in node.value:
            name, sign, value = item.text.partition("=")
            if key == "extra_hosts" and not sign:
                name, sign, value = item.text.partition(":")
            written, own = (text.partition("=")[2] for text in (item.written, item.own))
            pairs[name] = Node(value if sign else None, item.place, written, own)
        return node.with_value(pairs)
    return node


def _named(key: str, item: Node) -> Node:
    """What a name in a list stands for: Compose's own defaults."""
    waits = {"condition": Node("service_started", item.place)}
    return Node(waits if key == "depends_on" else None, item.place)


def merge(base: Node | None, over: Node, key: str = "") -> Node | None:
    """One value laid over another. None: nothing is left of it."""
    if over.tag == "!reset":
        return None
    if base is None or over.tag == "!override" or key in _REPLACED:
        return over
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        return over.with_value(_mappings(base.value, over.value))
    if isinstance(base.value, list) and isinstance(over.value, list):
        items = [*base.value, *over.value]
        if key in _UNIQUE:
            unique = _UNIQUE_KEYS.get(key, _target)
            items = list({unique(item): item for item in items}.values())
        return over.with_value(items)
    return over if over.value is not None or not isinstance(base.value, dict | list) else base


def _mappings(base: Mapping[str, Node], over: Mapping[str, Node]) -> dict[str, Node]:
    merged = dict(base)
    for key, value in over.items():
        result = merge(base.get(key), value, key)
        if result is None:
            merged.pop(key, None)
        else:
            merged[key] = result
    return merged


def _volume(item: Node) -> object:
    if item.mapping:
        return _part(item, "target")
    parts = item.text.split(":")
    return parts[1] if len(parts) > 1 else parts[0]


def _port(item: Node) -> object:
    if item.mapping:
        return tuple(_part(item, key) for key in ("host_ip", "target", "published", "protocol"))
    return item.text


def _target(item: Node) -> object:
    return (_part(item, "target") or _part(item, "source")) if item.mapping else item.text


def _part(item: Node, key: str) -> str:
    node = item.mapping.get(key)
    return node.text if node is not None else ""


_UNIQUE_KEYS: Mapping[str, Callable[[Node], object]] = {"volumes": _volume, "ports": _port}
