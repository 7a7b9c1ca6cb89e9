"""The change itself as it was planned, or less; and what is left of one that was interrupted, or asks."""

from collections.abc import Sequence
from typing import cast

from exporter.inventory.services import Service
from remediator.model.task import Action, Effect, TaskError
from remediator.tasks.image_update import journal as journals
from remediator.tasks.image_update.beforehand import Beforehand
from remediator.tasks.image_update.images import Images
from remediator.tasks.image_update.journal import Journal
from remediator.tasks.image_update.look import Looker, services_of
from remediator.tasks.image_update.means import GO_BACK, KEEP, UPDATE, Means, names
from remediator.tasks.image_update.overrides import Pin
from remediator.tasks.image_update.services import Estate, Member
from remediator.tasks.image_update.update import Parts, Update
from remediator.tasks.image_update.watch import Patience
from remediator.tasks.worker import in_thread


class Changing:
    """Of all services. services: of the config, for their probes."""

    def __init__(
        self,
        means: Means,
        estate: Estate,
        images: Images,
        looker: Looker,
        beforehand: Beforehand,
        services: Sequence[Service],
        patience: Patience,
    ) -> None:
        self._means, self._estate, self._images = means, estate, images
        self._looker, self._beforehand, self._services, self._patience = looker, beforehand, services, patience

    async def apply(self, target: str, action: Action) -> Effect:
        """Raises UpkeeperError."""
        project_name, service = names(target)
        journal = await self._means.journal(target)
        members = await self._estate.again(project_name, service)
        if not members and journal is not None:
            await self._images.let_go(target)
            await in_thread(lambda _: journals.drop(journals.path_of(self._means.state_dir, project_name, service)))
            return Effect(state="skipped", detail="its container was removed meanwhile: nothing is left to settle")
        if not members:
            return Effect(state="skipped", detail="its container was removed since the plan")
        project = await self._looker.project(members[0])
        if isinstance(project, str):
            raise TaskError(f"{target}: {project}")
        update = Update(self._parts(), project, project_name, service, self._looker.settings(target))
        if action.kind == UPDATE:
            return await self._update(target, action, update, members, journal)
        if journal is None or journal.new.image != action.params["image"]:
            return Effect(state="skipped", detail="it is settled by now")
        if action.kind == KEEP:
            return await update.settle(journal)
        if action.kind == GO_BACK:
            with_data = bool(action.params["with_data"])
            return Effect(state="done", detail=await update.go_back(journal, with_data=with_data))
        return await update.go_on(journal)

    async def _update(
        self, target: str, action: Action, update: Update, members: Sequence[Member], journal: Journal | None
    ) -> Effect:
        """The change itself; where it was begun before, and that was interrupted, what is left of it."""
        given = action.params
        new = Pin(image=str(given["image"]), made_for=str(given["made_for"]))
        if journal is not None:
            if journal.new != new:
                raise TaskError(f"another update of {target} is not settled: run it again")
            return await update.go_on(journal)
        image = await self._images.one(new.image)
        if image is None:
            return Effect(state="skipped", detail="not done: its image was not pulled")
        if all(each.image_id == image.id for each in members):
            return Effect(state="skipped", detail=f"it runs {new.image} already")
        planned = set(cast(Sequence[str], given.get("containers", ())))
        if {each.state.id for each in members} != planned or not all(each.state.running for each in members):
            return Effect(state="skipped", detail="it was stopped or made anew since the plan")
        looked = await self._looker.look(target, with_tags=False)
        if looked.left_out or looked.image != new.made_for:
            return Effect(state="skipped", detail=looked.left_out or "its Compose file asks for another image now")
        if services_of(looked.sharers) != given["sharers"]:
            return Effect(state="skipped", detail="what shares its network has changed since the plan")
        changed = await self._beforehand.would_change(looked)
        if changed:
            raise TaskError(f"{target}: {changed}")
        settings = self._looker.settings(target)
        if settings is not None and settings.backup and not settings.at_rest:
            _, hold, missing = await self._beforehand.backup(target)
            if hold or missing:
                raise TaskError(f"{target} was left as it is: {hold or f'{settings.backup} has no proven set of late'}")
        if not await self._beforehand.is_examined(target, new.image):
            return Effect(state="skipped", detail="not done: it was not shown that this image may be taken")
        if settings is not None and settings.rehearse and not await self._beforehand.is_rehearsed(target, new.image):
            return Effect(state="skipped", detail="not done: its rehearsal has not gone well")
        return await update.go_on(await update.begin(looked, new))

    def _parts(self) -> Parts:
        means = self._means
        return Parts(
            means.engine, self._estate, self._images, means.data, means.alerts, self._services, means.probe,
            self._patience, means.state_dir, means.clock,
        )  # fmt: skip
