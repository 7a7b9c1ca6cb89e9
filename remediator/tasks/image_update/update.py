"""One service brought to a new image, step by step, each noted before it is done; and back, where that is not well."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.base.errors import UpkeeperError
from exporter.base.text import format_time
from exporter.docker.engine import DockerEngine
from exporter.findings.project import Invocation
from exporter.inventory.services import Service
from remediator.config.images import ServiceImage
from remediator.images.news import Outcome, Result, write_result
from remediator.model.task import Effect, TaskError
from remediator.tasks.image_update import compose as composes
from remediator.tasks.image_update import journal as journals
from remediator.tasks.image_update.alerts import Alerts
from remediator.tasks.image_update.containers import Containers
from remediator.tasks.image_update.data import Data, written_since
from remediator.tasks.image_update.images import Images, former_name
from remediator.tasks.image_update.journal import Journal
from remediator.tasks.image_update.look import Looked, Project, services_of
from remediator.tasks.image_update.overrides import Pin
from remediator.tasks.image_update.references import parse
from remediator.tasks.image_update.services import Estate, Member, Mount
from remediator.tasks.image_update.watch import Patience, Prober, Watch, Watched
from remediator.tasks.service_restart.container_state import describe
from remediator.tasks.worker import in_thread


@dataclass(frozen=True)
class Parts:
    """What updating works with. services: of the config, for their probes. clock: Unix seconds."""

    engine: DockerEngine
    estate: Estate
    images: Images
    data: Data
    alerts: Alerts
    services: Sequence[Service]
    probe: Prober
    patience: Patience
    state_dir: Path
    clock: Callable[[], float] = time.time


class Update:
    """The update of one service. project: how Compose is told of it. settings: what the config says of it."""

    def __init__(
        self, parts: Parts, project: Project, project_name: str, service: str, settings: ServiceImage | None
    ) -> None:
        self._parts, self._project = parts, project
        self._name, self._service, self._settings = project_name, service, settings
        self._path = journals.path_of(parts.state_dir, project_name, service)
        self._containers = Containers(parts.engine, parts.estate, project_name, service)

    @property
    def target(self) -> str:
        return f"{self._name}.{self._service}"

    async def begin(self, looked: Looked, new: Pin) -> Journal:
        """Notes that the change begins. Raises UpkeeperError, and then nothing was changed."""
        member, members = looked.member, looked.members
        image = await self._parts.images.one(new.image)
        if image is None:
            raise TaskError(f"the engine does not have {new.image}; it was not pulled, or was removed since")
        pins = await in_thread(lambda _: self._project.ours.read())
        firing = await self._parts.alerts.firing(
            [each.state.name for each in members], self._name, self._names(members)
        )
        journal = Journal(
            target=self.target, container=member.state.id, former=member.image, former_id=member.image_id,
            former_pin=pins.get(self._service), new=new, new_id=image.id, sharers=services_of(looked.sharers),
            count=len(members), scales=dict(looked.scales),
            series=self._settings.backup or "" if self._settings and self._settings.at_rest else "",
            began=self._parts.clock(), alerts_before=None if isinstance(firing, str) else sorted(firing),
            unasked=firing if isinstance(firing, str) else "",
        )  # fmt: skip
        await self._parts.images.keep(self.target, member.image_id)
        try:
            return await self._note(journal)
        except TaskError:
            await self._parts.images.let_go(self.target)
            raise

    async def go_on(self, journal: Journal) -> Effect:
        """Does what is left of it. Raises TaskError where the image went back, or a person must say what is to stay."""
        others = set(await self._containers.images()) - {journal.former_id, journal.new_id}
        if others:
            await self._forget()
            other = min(others)[:19]
            return Effect(state="skipped", detail=f"somebody else has put another image there by now: {other}")
        if journal.stage == "asked":
            raise TaskError(self._question(journal))
        if journal.stage == "going-back":
            raise TaskError(await self._back(journal))
        try:
            if journal.changed is None or (journal.series and not journal.set):
                journal = await self._at_rest(journal)
            if not await self._containers.run_only(journal.new_id, journal.count):
                await self._pin(journal.new)
                await self._up(journal)
            await self._tie(journal)
            await self._containers.restart_dependents()
        except UpkeeperError as error:
            stopped = [each.state for each in await self._containers.all() if not each.state.running]
            states = "".join(f"{state.name} {describe(state)}; " for state in stopped)
            raise TaskError(await self._went_wrong(journal, f"{states}{error}")) from error
        return await self._watched(journal)

    async def _at_rest(self, journal: Journal) -> Journal:
        """Where its data is to go back with the image: stops the service, and makes a set. Else only notes the time."""
        if not journal.series:
            return await self._note(journal.model_copy(update={"changed": self._parts.clock()}))
        assert self._settings is not None
        await self._containers.stop()
        made = await self._parts.data.make(journal.series, self._settings.proof)
        return await self._note(journal.model_copy(update={"set": made.name, "changed": self._parts.clock()}))

    async def _up(self, journal: Journal) -> None:
        """Has Compose make anew what does not run as the files, ours too, say."""
        await self._project.compose.up(self._name, await self._files(), self._service, journal.sharers, journal.scales)

    async def _tie(self, journal: Journal) -> None:
        """Those that shared its network share that of a container of it now: Compose, old or interrupted, leaves some
        with one that is gone, or never started.
        """
        loose = await self._containers.loose(journal.sharers)
        if loose:
            scales = {name: count for name, count in journal.scales.items() if name in loose}
            await self._project.compose.recreate(self._name, await self._files(), loose, scales)

    async def _files(self) -> Invocation:
        """The user's files, and ours where it says something."""
        pins = await in_thread(lambda _: self._project.ours.read())
        return composes.with_file(self._project.base, self._project.ours.file) if pins else self._project.base

    async def _watched(self, journal: Journal) -> Effect:
        noted = [journal]

        async def on_well() -> None:
            if noted[0].served is None:
                noted[0] = await self._note(noted[0].model_copy(update={"served": self._parts.clock()}))

        watched = self._what(await self._containers.telling(), journal, journal.alerts_before)
        seen = await self._watch(self._parts.patience).until_well(watched, on_well)
        journal = noted[0]
        if not seen.problem and not await self._containers.run_only(journal.new_id, journal.count):
            runs = ", ".join(sorted({*await self._containers.images()})) or "nothing"
            return await self._wrong(journal, f"it runs {runs}, not {journal.new_id} alone")
        if seen.problem:
            return await self._wrong(journal, seen.problem)
        return await self.settle(journal, seen.alerts or journal.unasked)

    async def settle(self, journal: Journal, unasked: str = "") -> Effect:
        """The new image stays. Its tag means it on this machine from now on: `docker compose up` without our file finds
        it too. Raises TaskError where it does not run.
        """
        if set(await self._containers.images()) != {journal.new_id}:
            raise TaskError(f"{self.target} does not run {journal.new.image}, which therefore cannot stay")
        image = parse(journal.new.made_for)
        if image is not None and not image.digest:
            await self._parts.images.tag(image, journal.new_id)
        await self._result(journal, "updated")
        named = await self._forget()
        kept = "" if named else f"; the former image stays as {former_name(self.target)}"
        alerts = f"; its alerts were not asked: {unasked}" if unasked else ""
        stayed = self._parts.patience.stay
        return Effect(state="done", detail=f"runs {journal.new.image}, and was healthy for {stayed:g} s{alerts}{kept}")

    async def _wrong(self, journal: Journal, problem: str) -> Effect:
        raise TaskError(await self._went_wrong(journal, problem))

    async def _went_wrong(self, journal: Journal, problem: str) -> str:
        """Goes back where nothing is lost by that, else notes that a person must say; what became of it, in words."""
        journal = await self._note(journal.model_copy(update={"problem": problem}))
        if journal.changed is None:  # its set could not be made: nothing is changed
            await self._containers.start(journal.count)
            await self._forget()
            return f"{self.target} runs on its former image, as before: {problem}"
        if await self._may_have_served(journal):
            journal = await self._note(journal.model_copy(update={"stage": "asked"}))
            await self._result(journal, "asked")
            return self._question(journal)
        journal = await self._note(journal.model_copy(update={"stage": "going-back"}))
        return await self._back(journal)

    async def _may_have_served(self, journal: Journal) -> bool:
        """Whether what was written since it was first well would be lost, or be met by an image that cannot read it."""
        if journal.served is None:
            return False
        mounts, served = _mounts(await self._containers.telling()), journal.served
        if (
            self._settings is not None
            and self._settings.backup
            and not self._parts.data.only_files(self._settings.backup)
        ):
            return True  # it lies in a database, of which nobody knows who wrote
        return await in_thread(lambda _: written_since(mounts, served)) is not False

    def _question(self, journal: Journal) -> str:
        """What a person is asked, with the words to answer."""
        served = "" if journal.served is None else f" since {format_time(journal.served)}"
        data = (
            f", or -p settle=image-and-data for the set {journal.set} too (what was written since is then in a copy)"
            if journal.set
            else ""
        )
        return (
            f"{self.target} is not well on {journal.new.image}: {journal.problem}. It has served{served} and its data "
            f"may have been written to, so it was left as it is, and the former image is kept. Say what is to stay: "
            f"upkeeper run image-update {self.target} -p settle=keep, or -p settle=image for the former image on the "
            f"data as it is{data}"
        )

    async def go_back(self, journal: Journal, *, with_data: bool) -> str:
        """As a person has asked for it. What became of it, in words; raises UpkeeperError where it is not well."""
        update = {"stage": "going-back", "served": None if with_data else journal.served}
        journal = await self._note(journal.model_copy(update=update))
        return await self._back(journal, with_data=with_data)

    async def _back(self, journal: Journal, *, with_data: bool | None = None) -> str:
        """The former image again; and its data, where a set was made at rest and the new image has touched them."""
        if with_data is None:
            with_data = bool(journal.set) and journal.served is None and await self._touched(journal)
        with_data = with_data and not journal.restored
        data = ""
        if with_data:
            await self._containers.stop()
            await self._parts.data.restore(journal.series, journal.set)
            journal = await self._note(journal.model_copy(update={"restored": True}))
            data = f", its data from the set {journal.set}"
        if not await self._containers.run_only(journal.former_id, journal.count):
            pin = await self._former_pin(journal)
            await self._pin(pin)
            await self._up(journal)
        await self._containers.start(journal.count)
        await self._tie(journal)
        await self._containers.restart_dependents()
        watched = self._what(await self._containers.telling(), journal, None)
        back = Patience(self._parts.patience.start, 0.0, self._parts.patience.poll, settle=0.0)
        seen = await self._watch(back).until_well(watched, _nothing)
        said = f"{journal.problem}; " if journal.problem else ""
        if seen.problem:
            await self._result(journal, "unwell", seen.problem)
            kept = f" The set {journal.set} of its data is in the backup {journal.series}." if journal.set else ""
            raise TaskError(
                f"{said}the former image {journal.former} was put back{data}, and {self.target} is not well on it "
                f"either: {seen.problem}. Both images are kept, the former one as {former_name(self.target)}.{kept} "
                f"`upkeeper restore` brings back a set of its data; then: upkeeper run image-update {self.target}"
            )
        if not await self._containers.run_only(journal.former_id, journal.count):
            raise TaskError(f"{said}{self.target} should run {journal.former} again, and runs something else")
        await self._result(journal, "went-back")
        named = await self._forget()
        kept = "" if named else f"; that image stays as {former_name(self.target)}"
        return f"{said}went back: {self.target} runs {journal.former} again{data}, and is well{kept}"

    async def _result(self, journal: Journal, result: Outcome, problem: str = "") -> None:
        """Notes how it went, for those who ask later."""
        told = Result(
            image=journal.new.image, result=result, at=self._parts.clock(), problem=problem or journal.problem
        )
        state_dir = self._parts.state_dir
        await in_thread(lambda _: write_result(state_dir, self._name, self._service, told))

    async def _forget(self) -> bool:
        """The update is settled. Whether the former image has another name than the one that kept it."""
        named = await self._parts.images.let_go(self.target)
        await in_thread(lambda _: journals.drop(self._path))
        return named

    async def _touched(self, journal: Journal) -> bool:
        """Whether the new image has changed the data; where that cannot be told, it has."""
        mounts, changed = _mounts(await self._containers.telling()), journal.changed
        assert changed is not None
        if not self._parts.data.only_files(journal.series):
            return True
        return await in_thread(lambda _: written_since(mounts, changed)) is not False

    async def _former_pin(self, journal: Journal) -> Pin | None:
        """What our file must say for the former image; None for nothing, where the user's own files lead to it."""
        pin = journal.former_pin
        if pin is not None and pin.made_for == journal.new.made_for:
            image = await self._parts.images.one(pin.image)
            if image is not None and image.id == journal.former_id:
                return pin
        by_tag = await self._parts.images.one(journal.new.made_for)
        if by_tag is not None and by_tag.id == journal.former_id:
            return None
        former, name = await self._parts.images.one(journal.former_id), parse(journal.new.made_for)
        for digest in sorted(former.digests) if former is not None else ():
            known = None if name is None else await self._parts.images.one(f"{name.name}@{digest}")
            if name is not None and known is not None and known.id == journal.former_id:
                return Pin(image=name.pinned(digest), made_for=journal.new.made_for)
        return Pin(image=f"{former_name(self.target)}:latest", made_for=journal.new.made_for)

    async def _pin(self, pin: Pin | None) -> None:
        pins = {name: one for name, one in self._project.pins.items() if name != self._service}
        if pin is not None:
            pins[self._service] = pin
        await in_thread(lambda _: self._project.ours.write(pins, self._project.version))

    async def _note(self, journal: Journal) -> Journal:
        await in_thread(lambda _: journals.write(self._path, journal))
        return journal

    def _watch(self, patience: Patience) -> Watch:
        return Watch(self._parts.estate, self._parts.alerts, patience, self._parts.probe)

    def _what(self, members: Sequence[Member], journal: Journal, alerts_before: Collection[str] | None) -> Watched:
        own = self._own(members)
        probes = [(each.name, probe) for each in own for probe in each.probes]
        return Watched(self._name, self._service, self._names(members), probes, alerts_before, journal.count)

    def _own(self, members: Sequence[Member]) -> list[Service]:
        """Of the services of the config those that are meant: their probes are this service's."""
        named = self._settings.probes if self._settings is not None else None
        if named is not None:
            return [each for each in self._parts.services if each.name == named]
        containers = {each.state.name for each in members}
        return [each for each in self._parts.services if each.container in containers]

    def _names(self, members: Sequence[Member]) -> set[str]:
        return {self._service, *(each.name for each in self._own(members))}


async def _nothing() -> None:
    return None


def _mounts(members: Sequence[Member]) -> list[Mount]:
    """What any of them may write to, each once."""
    return list(dict.fromkeys(mount for each in members for mount in each.mounts))
