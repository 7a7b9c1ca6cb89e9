"""Every value that is known to be secret on this machine, so that it is hidden wherever it turns up."""

import asyncio
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.base.redact import secrets_of
from exporter.base.secretfile import SecretUnreadable, read_secret
from exporter.base.threads import KeyedThreads
from exporter.configfile.masked import secret_values
from exporter.docker.engine import DockerEngine
from remediator.diagnosis.clean import forms

if TYPE_CHECKING:
    from docker import APIClient

SECONDS = 10.0
"""For all that is read here."""
MOST_CONTAINERS = 500
_DIRECTORIES = frozenset({"PWD", "OLDPWD"})
"""Of the environment, what is no password."""


async def known_secrets(
    documents: Sequence[Any],
    files: Iterable[str],
    state_dir: Path,
    engine: DockerEngine | None,
    env: Mapping[str, str] = os.environ,
) -> tuple[Collection[str], Sequence[str]]:
    """All forms of the values, and a remark on each place that could not be read. Raises nothing but cancellation.

    documents: the config, as far as it can be read. files: with a secret each.
    """
    threads = KeyedThreads()
    paths = dict.fromkeys([*_own(state_dir), *files])
    reads = [_within(threads, f"the secret file {path}", partial(_read, path)) for path in paths]
    answers = await asyncio.gather(*reads, _of_containers(engine))
    found = {value for values, _ in answers for value in values}
    found |= secrets_of([f"{name}={value}" for name, value in env.items() if name not in _DIRECTORIES])
    for document in documents:
        found |= set(secret_values(document)) | secrets_of(list(_texts(document)))
    return forms(found), [remark for _, remark in answers if remark]


def _texts(document: Any, key: str = "") -> Iterator[str]:
    """All texts in a document, each with the name of its key: passwords in URLs are found in them."""
    if isinstance(document, Mapping):
        for name, part in document.items():
            yield from _texts(part, str(name))
    elif isinstance(document, list):
        for part in document:
            yield from _texts(part, key)
    elif isinstance(document, str):
        yield f"{key}={document}"


def _own(state_dir: Path) -> Iterable[str]:
    for folder in ("tokens", "alertmanager/secrets", "prometheus/secrets"):
        try:
            yield from (str(path) for path in sorted((state_dir / folder).iterdir()) if path.is_file())
        except OSError:  # then nobody reads what is in it
            continue


async def _within(threads: KeyedThreads, what: str, read: Callable[[], set[str]]) -> tuple[set[str], str]:
    try:
        async with asyncio.timeout(SECONDS):
            return await threads.run(what, read), ""
    except TimeoutError:
        return set(), f"{what} could not be read in time, so what it holds is hidden only where its name says so"


def _read(path: str) -> set[str]:
    try:
        return {read_secret(path)}
    except SecretUnreadable:  # whoever collects cannot read it, and so has it nowhere from
        return set()


async def _of_containers(engine: DockerEngine | None) -> tuple[set[str], str]:
    """What is secret in the environments of the containers."""
    if engine is None:
        return set(), ""
    try:
        async with asyncio.timeout(SECONDS):
            return await engine.call(_environments), ""
    except Exception as error:  # noqa: BLE001  # without an engine there are no logs of its containers either
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
        return set(), f"the environments of containers are not known: {said}"


def _environments(client: "APIClient") -> set[str]:
    found: set[str] = set()
    for listed in client.containers(all=True)[:MOST_CONTAINERS]:
        inspected = client.inspect_container(listed["Id"])
        found |= secrets_of((inspected.get("Config") or {}).get("Env") or [])
    return found
