"""Puts the archive together: what is secret first, then the parts, then the file."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial

from exporter import __version__
from exporter.docker.engine import DockerEngine
from remediator.diagnosis.archive import About, Archive, pack
from remediator.diagnosis.collect import Limits, collect
from remediator.diagnosis.part import Part
from remediator.diagnosis.secrets import known_secrets
from remediator.diagnosis.sources.containers import container_parts
from remediator.diagnosis.sources.logs import log_parts
from remediator.diagnosis.sources.machine import machine_parts
from remediator.diagnosis.sources.record import Read, record_parts
from remediator.diagnosis.sources.services import metrics_parts, peer_parts, plan_parts
from remediator.diagnosis.sources.settings import Found, config_parts
from remediator.peers.places import Peers
from remediator.statedir import StateDir
from remediator.store.hosts import this_host


@dataclass(frozen=True)
class Subject:
    """What is diagnosed. run: the one that the archive is about, with the container that it worked on, if it is one.

    plans: how to ask what the tasks would do; else the remediator that runs is asked. skip: tasks that are not asked.
    """

    state: StateDir
    config: Found
    read: Read
    engine: DockerEngine | None
    run: int | None = None
    plans: Sequence[Part] | None = None
    skip: Collection[str] = ()
    limits: Limits = field(default_factory=Limits)


async def diagnose(subject: Subject, now: float | None = None) -> Archive:
    """The archive. Takes about half a minute where much does not answer. Raises nothing but cancellation."""
    now = time.time() if now is None else now
    known, remarks = await known_secrets(
        subject.config.documents, subject.config.files, subject.state.root, subject.engine
    )
    container = await _container_of(subject)
    entries = await collect(_parts(subject, container, now), known, subject.limits)
    return pack(entries, About(now, __version__, this_host(), subject.run, remarks))


def _parts(subject: Subject, container: str | None, now: float) -> Sequence[Part]:
    root = subject.state.root
    peers = Peers(lambda: subject.config.config, root)
    plans = subject.plans
    if plans is None:
        plans = plan_parts(root, subject.state.operator_token, subject.skip)
    return [
        *record_parts(subject.read, subject.run, now),
        *config_parts(subject.config),
        *machine_parts(root),
        *log_parts(root),
        *metrics_parts(root),
        *peer_parts(peers),
        *(container_parts(subject.engine, container) if subject.engine is not None else ()),
        *plans,
    ]


async def _container_of(subject: Subject) -> str | None:
    """The container of the run that the archive is about: its target, as far as that is one."""
    if subject.run is None:
        return None
    from remediator.model.task import CONTAINER_TARGET
    from remediator.store import runs

    try:
        run = await subject.read(partial(runs.get, run_id=subject.run))
    except Exception:  # noqa: BLE001  # the part that shows the run says what is wrong
        return None
    target: str = run.target
    return target.removeprefix(CONTAINER_TARGET)
