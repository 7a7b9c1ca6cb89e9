"""What services need, of a config that is not validated yet: every name is known, and none needs itself."""

from collections.abc import Iterator, Mapping
from typing import Any

from exporter.configfile.section import Contradiction, names_of, shown


def needs_contradictions(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Names that nothing has, and services that need each other: each would keep the other from being told."""
    names = names_of(given.get("services"))
    known = {*names, *names_of(given.get("postgres")), *names_of(given.get("neo4j"))}
    lists = [_needs(service) for service in _items(given.get("services"))]
    needs: dict[object, list[object]] = {}
    for name, listed in zip(names, lists, strict=True):
        if isinstance(name, str):
            needs[name] = [each for each in listed if isinstance(each, str)]
    for index, listed in enumerate(lists):
        for at, each in enumerate(listed):
            if not isinstance(each, str):
                continue
            key = ("services", index, "needs", at)
            if each not in known:
                yield Contradiction(key, f"{shown(each)} is no service, nor a server of `postgres:` or `neo4j:`")
            elif names[index] == each or names[index] in _all_that(each, needs):
                yield Contradiction(
                    key, f"{shown(each)} needs {shown(str(names[index]))} itself; neither would be told"
                )


def _items(services: object) -> list[object]:
    return list(services) if isinstance(services, list | tuple) else []


def _needs(service: object) -> list[object]:
    found = service.get("needs") if isinstance(service, Mapping) else getattr(service, "needs", None)
    return list(found) if isinstance(found, list | tuple) else []


def _all_that(name: object, needs: Mapping[object, list[object]]) -> set[object]:
    """All that it needs, and that these need."""
    found: set[object] = set()
    left = [name]
    while left:
        for each in needs.get(left.pop(), []):
            if each not in found:
                found.add(each)
                left.append(each)
    return found
