"""Runs the probes of one service now, for ``upkeeper probe``: as the exporter would, with every step kept if wanted."""

import asyncio
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from exporter.base.masking import HIDDEN
from exporter.base.text import nearest
from exporter.base.urlsecrets import without_url_secrets
from exporter.configfile.dialect import REFERENCE
from exporter.configfile.file import Loaded
from exporter.configfile.source import KeyPath
from exporter.docker.containers import Lister
from exporter.docker.engine import DockerEngine, DockerUnavailable, EngineRefused
from exporter.inventory.services import Probe, Service
from exporter.probing.labels import labelled_services
from exporter.probing.recorder import Recorder, Step
from exporter.probing.result import ProbeResult
from exporter.probing.run import run_probe
from remediator.config.config import Config
from remediator.model.errors import ClientError, not_found


@dataclass(frozen=True)
class Probed:
    """One probe that ran. ``url`` is without what came from the environment, and without secrets in its query."""

    url: str
    result: ProbeResult
    steps: Sequence[Step]


@dataclass(frozen=True)
class Chosen:
    """A service, the probes of it that are meant, and the texts that must not be shown."""

    service: Service
    probes: Sequence[Probe]
    secrets: Collection[str] = ()
    hidden_urls: Collection[str] = ()
    """Names of the probes whose URL holds something of the environment."""


async def probe_now(chosen: Chosen, detailed: bool) -> list[Probed]:
    """Runs the probes at once. Takes as long as the slowest probe's timeout at most."""
    recorders = [Recorder(detailed, chosen.secrets) for _ in chosen.probes]
    results = await asyncio.gather(
        *(
            run_probe(chosen.service.name, probe, recorder=recorder)
            for probe, recorder in zip(chosen.probes, recorders, strict=True)
        )
    )
    return [
        Probed(HIDDEN if probe.name in chosen.hidden_urls else without_url_secrets(probe.url), result, recorder.steps)
        for probe, result, recorder in zip(chosen.probes, results, recorders, strict=True)
    ]


async def choose(
    loaded: Loaded[Config], word: str, engine: DockerEngine, env: Mapping[str, str] = os.environ
) -> Chosen:
    """What ``NAME`` or ``NAME/PROBE`` means: a service of the config, else one that a container's labels declare.

    Raises ClientError, with the nearest names, when there is none.
    """
    name, _, probe = word.partition("/")
    configured = loaded.value.services
    for index, service in enumerate(configured):
        if service.name == name:
            secrets = environment_secrets(loaded, index, env)
            urls = [
                each.name
                for number, each in enumerate(service.probes)
                if ("services", index, "probes", number, "url") in loaded.source.from_environment
            ]
            return Chosen(service, _probes(service, probe), secrets, urls)
    labelled, problem = await _labelled(engine)
    for service in labelled:
        if service.name == name:
            return Chosen(service, _probes(service, probe))
    raise _unknown(f"there is no service {name!r}", name, [each.name for each in (*configured, *labelled)], problem)


def environment_secrets(loaded: Loaded[Config], index: int, env: Mapping[str, str]) -> set[str]:
    """What the config says of a service that came from the environment: each variable, and each value with one.

    Hosts and ports are no secrets; without them no step would say where it went.
    """
    section: KeyPath = ("services", index)
    secrets: set[str] = set()
    for path, text in loaded.source.from_environment.items():
        if path[:2] == section:
            names = (match.group(1) for match in REFERENCE.finditer(text))
            secrets |= {env.get(name, "") for name in names if name} | {str(loaded.source.value(path))}
    for probe in loaded.value.services[index].probes:
        parts = urlsplit(probe.url)
        secrets -= {"", parts.hostname or "", str(parts.port), probe.name}
    return secrets - {loaded.value.services[index].name}


def _probes(service: Service, name: str) -> Sequence[Probe]:
    chosen = [probe for probe in service.probes if not name or probe.name == name]
    if not chosen:
        raise _unknown(f"{service.name} has no probe {name!r}", name, [probe.name for probe in service.probes])
    return chosen


def _unknown(message: str, word: str, known: Sequence[str], problem: str = "") -> ClientError:
    there_are = f"there are: {', '.join(sorted(known))}" if known else "none exist"
    hint = nearest(word, known) or there_are
    remark = f"\nservices that container labels declare are not known: {problem}" if problem else ""
    return not_found(f"{message} ({hint}){remark}")


async def _labelled(engine: DockerEngine) -> tuple[Sequence[Service], str]:
    """The services that labels declare, and why they are not known if they are not."""
    try:
        containers = await engine.call(Lister().read)
    except (DockerUnavailable, EngineRefused) as error:
        return (), str(error)
    return labelled_services(containers)[0], ""
