"""One service as it is: its containers, what Compose says of it, and what its registry has. Reads only."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from exporter.findings.project import Invocation
from remediator.config.images import Images, ServiceImage, UpdatePolicy
from remediator.model.task import TaskError
from remediator.tasks.image_update import compose as composes
from remediator.tasks.image_update.choose import Candidate, is_current, policy_of, why_left_out, without_image_label
from remediator.tasks.image_update.compose import Compose, Composes
from remediator.tasks.image_update.distribution import Registries, RegistryError
from remediator.tasks.image_update.overrides import Overrides, Pin, in_force
from remediator.tasks.image_update.references import Reference, parse
from remediator.tasks.image_update.services import Estate, LocalImage, Member
from remediator.tasks.image_update.versions import newer
from remediator.tasks.service_restart.container_state import ContainerState
from remediator.tasks.service_restart.sharing import sharers_of
from remediator.tasks.worker import in_thread

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Project:
    """How a project is told to Compose. base: the user's files. version: of those, for Compose 1. pins: of ours that
    still count.
    """

    compose: Compose
    base: Invocation
    ours: Overrides
    version: str
    pins: dict[str, Pin]

    @property
    def files(self) -> Invocation:
        """The user's files, and ours where there is one."""
        return composes.with_file(self.base, self.ours.file) if self.pins else self.base


@dataclass(frozen=True)
class Looked:
    """left_out: why nothing can be done; the rest is there as far as it came."""

    members: Sequence[Member]
    """Its containers, one at least; what is said of one of them holds for all."""
    policy: UpdatePolicy | None
    left_out: str = ""
    image: str = ""
    """What the user's files ask for."""
    scales: Mapping[str, int] = field(default_factory=dict)
    """How many containers it has, and those that share its network, where the user's files say another number."""
    project: Project | None = None
    candidate: Candidate | None = None
    current: bool = False
    sharers: Sequence[Member] = ()
    """Running containers of the project that share its network or the like, and are made anew with it."""
    restarted: Sequence[Member] = ()
    """Those that its Compose file restarts with it."""
    running_created: str = ""
    """When the image that runs was built, as it says itself."""
    newer: Sequence[str] = ()
    newer_major: Sequence[str] = ()
    notes: Sequence[str] = field(default=())

    @property
    def member(self) -> Member:
        """The first of its containers."""
        return self.members[0]


class Looker:
    """Looks at services. state_dir: where our files are. registries: opens a way to them."""

    def __init__(
        self,
        estate: Estate,
        settings: Images,
        composes_: Composes,
        registries: Callable[[frozenset[str]], Registries],
        keep_label: str,
        state_dir: Path,
    ) -> None:
        self._estate, self._composes, self._registries = estate, composes_, registries
        self._configured = {f"{each.project}.{each.service}": each for each in settings.services}
        self._keep_label, self._state_dir = keep_label, state_dir

    def settings(self, target: str) -> ServiceImage | None:
        """What the config says of a service by its name."""
        return self._configured.get(target)

    async def look(self, target: str, *, with_tags: bool = True) -> Looked:
        """with_tags: list newer tags too. Raises TaskError where there is no such service, and RegistryError."""
        members, states = await self._estate.everything()
        own = sorted((each for each in members if each.target == target), key=lambda each: each.number)
        if not own:
            raise TaskError(f"no container of a Compose service {target} is here; see: docker compose ls")
        settings = self.settings(target)
        policy = policy_of(own[0], settings.update if settings else None)
        member = own[0]
        left_out = why_left_out(own, self._keep_label, policy)
        if left_out:
            return Looked(own, policy, left_out, member.image)
        sharers, restarted, left_out = together(own, members, states, self._keep_label)
        if left_out:
            return Looked(own, policy, left_out, member.image)
        project = await self.project(member)
        if isinstance(project, str):
            return Looked(own, policy, project, member.image)
        all_written = await project.compose.written(member.project, project.base)
        written = all_written.get(member.service)
        if written is None:
            return Looked(own, policy, "its Compose files have it no more", member.image)
        if written.built:
            return Looked(own, policy, "it is built here: docker compose build", written.image)
        if len(own) == 1 and written.count > 1:
            reason = f"its Compose files ask for {written.count} containers, and it has one: docker compose up -d"
            return Looked(own, policy, f"{reason} {member.service}", written.image)
        image = parse(written.image)
        if image is None:
            return Looked(own, policy, f"{written.image} is not the name of an image in a registry", written.image)
        local = await self._estate.image(member.image_id)
        if local is None:
            return Looked(own, policy, "the engine has its image no more, so what runs is not known", written.image)
        policy = without_image_label(policy, local.labels, settings.update if settings else None)
        running = parse(member.image)
        if image.digest:
            same = image.digest in {*local.digests, local.id}
            reason = f"pinned by digest in its Compose file, {project.base.files[0]}: change it there"
            if same:
                return Looked(own, policy, reason, written.image, project=project, current=True)
        scales = {
            service: count
            for service, count in Counter(each.service for each in (*own, *sharers)).items()
            if service not in all_written or all_written[service].count != count
        }
        async with self._registries(await self._estate.insecure()) as registries:
            digest = image.digest or await registries.digest(image)
            remote = None
            current = digest in {*local.digests, local.id}
            if not current:
                remote = await registries.image(image, digest, local.platform)
                current = is_current(local, remote)
            if not current and remote is not None:  # the containerd store knows an index by its own digest alone
                for former in sorted(local.digests):
                    current = current or await _same_platform(registries, image, former, local, remote.digests)
            alike: list[str] = []
            majors: list[str] = []
            notes: list[str] = []
            if with_tags and image.tag:
                try:
                    alike, majors = newer(image.tag, await registries.tags(image))
                except RegistryError as error:
                    notes.append(f"Newer tags are not known: {error}.")
        return Looked(
            members=own, policy=policy, scales=scales, image=written.image, project=project, current=current,
            candidate=None if remote is None else Candidate(image, running, local, remote),
            sharers=sharers, restarted=restarted, running_created=local.created, newer=alike,
            newer_major=majors, notes=notes,
        )  # fmt: skip

    async def project(self, member: Member) -> Project | str:
        """How Compose is told of the project of a container; in words why it cannot be."""
        invocation = member.invocation
        if invocation is None:
            return "its labels do not tell which Compose files it was made with"
        ours = Overrides.of(self._state_dir, member.project)
        base = composes.base_files(invocation, ours.file)
        gone = await in_thread(lambda _: composes.missing(base))
        if gone:
            return f"its Compose file {gone} is not on this machine, where docker compose is run from"
        compose = await self._composes.for_project(member)
        pins = await in_thread(lambda _: ours.read())
        if pins:
            written = await compose.written(member.project, base)
            pins = in_force(pins, {name: one.image for name, one in written.items()})
        version = await in_thread(lambda _: composes.version_of(base)) if compose.old else ""
        return Project(compose, base, ours, version, pins)


async def _same_platform(
    registries: Registries, image: Reference, former: str, local: LocalImage, new: frozenset[str]
) -> bool:
    """Whether what an index named before is, for this platform, what it names now: only others were built anew."""
    try:
        before = await registries.image(image, former, local.platform)
    except RegistryError:
        return False  # it is gone there: then what runs is another one
    return bool(before.digests & new)


def services_of(members: Sequence[Member]) -> list[str]:
    """Whose containers these are, each once. Pure."""
    return list(dict.fromkeys(each.service for each in members))


def together(
    own: Sequence[Member], members: Sequence[Member], states: Sequence[ContainerState], keep_label: str
) -> tuple[list[Member], list[Member], str]:
    """What is made anew with a service, what is restarted with it, and why it cannot be done. Pure.

    own: its containers.
    """
    member = own[0]
    by_id = {each.state.id: each for each in members}
    sharers: list[Member] = []
    for sharer in (each for one in own for each in sharers_of(one.state, states)):
        one = by_id.get(sharer.state.id)
        name = sharer.state.name
        if one is None or one.project != member.project:
            return [], [], f"{name} has its {sharer.what}, and is not of this project: it would be cut off"
        if keep_label in one.labels:
            return [], [], f"{name} has its {sharer.what} and the label {keep_label}: it would be made anew"
        if one.labels.get("upkeeper.update") == "never":
            return [], [], f"{name} has its {sharer.what} and is never updated: it would be made anew"
        if one not in sharers and one not in own:
            sharers.append(one)
    restarted = [
        each
        for each in members
        if each.project == member.project and each.state.running and each.restarts_with(member.service)
        and each not in sharers and each.service != member.service
    ]  # fmt: skip
    return sharers, restarted, ""
