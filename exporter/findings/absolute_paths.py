"""Paths in a Compose file made absolute: they are relative to the project's directory, or to that of the file which
another one extends or includes. https://docs.docker.com/reference/compose-file/extension/
"""

from collections.abc import Callable

from exporter.findings.compose_tree import Node
from exporter.findings.paths import joined


def rebase(root: Node, directory: str) -> Node:
    """The tree with the paths of files that are read absolute: ``env_file``, ``label_file``, secrets and configs."""

    def absolute(node: Node) -> Node:
        return node.with_value(joined(directory, node.text)) if node.text else node

    def listed(node: Node) -> Node:
        if isinstance(node.value, list):
            return node.with_value([listed(item) for item in node.value])
        return _changed(node, "path", absolute) if node.mapping else absolute(node)

    def service(node: Node) -> Node:
        return _changed(_changed(node, "env_file", listed), "label_file", listed)

    def file(node: Node) -> Node:
        return _changed(node, "file", absolute)

    for section, change in (("services", service), ("secrets", file), ("configs", file)):
        root = _changed(root, section, lambda node, change=change: _each(node, change))  # type: ignore[misc]
    return root


def _changed(node: Node, key: str, change: Callable[[Node], Node]) -> Node:
    """A mapping with one of its values changed, if it has that."""
    value = node.mapping.get(key)
    return node if value is None else node.with_value({**node.mapping, key: change(value)})


def _each(node: Node, change: Callable[[Node], Node]) -> Node:
    return node.with_value({key: change(value) for key, value in node.mapping.items()}) if node.mapping else node
