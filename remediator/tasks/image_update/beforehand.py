"""What must be there and shown before a service is brought to a new image: planned, done, and asked for once more."""

from typing import Literal

from pydantic import JsonValue

from exporter.base.errors import UpkeeperError
from exporter.base.text import format_time
from exporter.base.units import format_duration
from remediator.config.images import Images as Settings
from remediator.images.news import read_result
from remediator.model.task import Action, Effect, TaskError
from remediator.tasks.image_update.examine import examination, examine
from remediator.tasks.image_update.images import Images
from remediator.tasks.image_update.look import Looked, Looker
from remediator.tasks.image_update.means import BACK_UP, EXAMINE, REHEARSE, Means, Updating, names
from remediator.tasks.image_update.references import parse
from remediator.tasks.image_update.shown import is_shown, note
from remediator.tasks.image_update.unchanged import unchanged
from remediator.tasks.worker import in_thread


class Beforehand:
    """Of all services. Every method that asks may raise UpkeeperError, and then nothing is begun."""

    def __init__(self, settings: Settings, means: Means, looker: Looker, images: Images) -> None:
        self._settings, self._means, self._looker, self._images = settings, means, looker, images

    async def back_up(self, target: str, series: str) -> Effect:
        proof = self._proof(target)
        made = await self._means.data.make(series, proof)
        return Effect(state="done", detail=f"made and proven ({proof}): {made.name}")

    async def pull(self, text: str) -> Effect:
        image = parse(text)
        assert image is not None
        pulled = await self._images.pull(image, image.digest)
        return Effect(state="done" if pulled else "skipped", detail="pulled" if pulled else "it is here already")

    async def went_back(self, target: str, looked: Looked, asked: Updating) -> str:
        """Why an image is not taken that did not stay the last time; empty where it may be."""
        project, service = names(target)
        last = await in_thread(lambda _: read_result(self._means.state_dir, project, service))
        candidate = looked.candidate
        if last is None or candidate is None or asked.again or last.result == "updated":
            return ""
        if last.digest != candidate.remote.digest:
            return ""
        return f"it went back from this image on {format_time(last.at)} ({last.problem}): -p again=true tries it again"

    async def would_change(self, looked: Looked) -> str:
        """Why Compose would change more than the image, in words; empty where it would not, or that cannot be told."""
        said = await unchanged(looked, self._images)
        if said:
            project, service = looked.member.project, looked.member.service
            return (
                f"Compose would change more than the image ({said}): the files of {project} or their variables are not "
                f"those that it was made with. docker compose up -d {service} brings it up to date first"
            )
        return ""

    async def backup(self, target: str) -> tuple[str, str, list[Action]]:
        """The backup that an update relies on, in words; why it holds the update up; and what makes a set of it."""
        settings = self._looker.settings(target)
        if settings is None or settings.backup is None:
            return "", "", []
        name, data = settings.backup, self._means.data
        if settings.at_rest:
            if not data.can_make(name):
                return "", f"the backup {name} has no make:, so that no set can be made of it at rest", []
            return f"a set of {name}, made with the service stopped", "", []
        found = await data.newest(name, settings.proof)
        age = None if found is None else max(0.0, self._means.clock() - found.date)
        if found is not None and age is not None and age <= settings.backup_max_age:
            return f"{name}: {found.name}, {settings.proof}, {_rounded(age)} old", "", []
        had = "it has none" if age is None else f"the newest is {_rounded(age)} old"
        if not data.can_make(name):
            limit = format_duration(settings.backup_max_age)
            must = f"the backup {name} must have a set that is {settings.proof} and not older than {limit}; {had}"
            return "", must, []
        if settings.proof == "drilled":
            return "", f"the backup {name} must have a set that is drilled: upkeeper drill {name}; {had}", []
        reason = f"{target} relies on a set of it that is {settings.proof}; {had}"
        action = Action(kind=BACK_UP, object=name, reason=reason, params={"series": name}, identity=name)
        return f"a set of {name}, made first", "", [action]

    async def examination(self, target: str, text: str, running: str) -> tuple[list[Action], str]:
        """What examines an image that was not yet, where there is something to do it with; or why that cannot be."""
        image = parse(text)
        assert image is not None
        asked, hold = examination(self._settings, image)
        if hold or not asked.rule or await self.is_examined(target, text):
            return [], hold
        params: dict[str, JsonValue] = {"image": text, "running": running}
        return [Action(kind=EXAMINE, object=text, reason=asked.words, params=params)], ""

    async def is_examined(self, target: str, text: str) -> bool:
        """Whether all was shown of it that must be, which may be nothing."""
        image = parse(text)
        assert image is not None
        asked, hold = examination(self._settings, image)
        if hold or not asked.rule:
            return not hold
        project, service = names(target)
        return await in_thread(
            lambda _: is_shown(self._means.state_dir, project, service, "examined", text, asked.rule)
        )

    async def examine(self, target: str, action: Action) -> Effect:
        text = str(action.params["image"])
        image = parse(text)
        if image is None or await self._images.one(text) is None:
            return Effect(state="skipped", detail="not done: the image was not pulled")
        asked, hold = examination(self._settings, image)
        if hold:
            raise TaskError(f"{target} stays as it is: {hold}")
        pinned = f"{image.name}@{image.digest}"
        try:
            shown = await examine(
                asked, pinned, str(action.params["running"]), self._settings.scan_time, self._means.engine.host
            )
        except TaskError as error:
            raise TaskError(f"{target} stays as it is: {error}") from error
        project, service = names(target)
        await in_thread(lambda _: note(self._means.state_dir, project, service, "examined", text, shown, asked.rule))
        return Effect(state="done", detail=shown)

    async def rehearsal(self, target: str, image: str) -> tuple[list[Action], str]:
        """What rehearses an image that was not yet, where the config says so; or why that cannot be."""
        settings = self._looker.settings(target)
        if settings is None or not settings.rehearse or settings.backup is None:
            return [], ""
        if not self._means.data.can_rehearse(settings.backup):
            return [], f"it is to be rehearsed, and the backup {settings.backup} has no drill:"
        if await self.is_rehearsed(target, image):
            return [], ""
        reason = f"the newest set of {settings.backup} in a sandbox, where its drill must succeed with this image"
        params: dict[str, JsonValue] = {"image": image, "series": settings.backup}
        return [Action(kind=REHEARSE, object=target, reason=reason, params=params)], ""

    async def is_rehearsed(self, target: str, image: str) -> bool:
        """Whether this was shown to go well."""
        project, service = names(target)
        return await in_thread(lambda _: is_shown(self._means.state_dir, project, service, "rehearsed", image))

    async def rehearse(self, target: str, action: Action) -> Effect:
        text = str(action.params["image"])
        image, local = parse(text), await self._images.one(text)
        if image is None or local is None:
            return Effect(state="skipped", detail="not done: the image was not pulled")
        try:
            shown = await self._means.data.rehearse(str(action.params["series"]), image, local.id)
        except UpkeeperError as error:
            raise TaskError(f"{target} stays as it is: rehearsed with {text}, {error}") from error
        project, service = names(target)
        await in_thread(lambda _: note(self._means.state_dir, project, service, "rehearsed", text, shown))
        return Effect(state="done", detail=shown)

    def _proof(self, target: str) -> Literal["checksums", "readable", "restored", "drilled"]:
        settings = self._looker.settings(target)
        return "readable" if settings is None else settings.proof


def _rounded(age: float) -> str:
    """In whole minutes, one at least."""
    return format_duration(max(60.0, age // 60 * 60))
