"""image-update: what is new for a Compose service, and the service brought to it."""

from collections.abc import Sequence

import structlog

from exporter.base.errors import UpkeeperError
from exporter.inventory.services import Service
from remediator.config.images import Images as Settings
from remediator.evidence.container import container_sources
from remediator.model.evidence import Source
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Params, Plan, TaskError
from remediator.tasks.image_update.beforehand import Beforehand
from remediator.tasks.image_update.changing import Changing
from remediator.tasks.image_update.compose import Composes
from remediator.tasks.image_update.distribution import Registries
from remediator.tasks.image_update.facts import IMAGE_UPDATE
from remediator.tasks.image_update.images import Images
from remediator.tasks.image_update.look import Looker
from remediator.tasks.image_update.means import (
    BACK_UP,
    EXAMINE,
    FINISH,
    GO_BACK,
    KEEP,
    PULL,
    REHEARSE,
    UPDATE,
    Means,
    Updating,
    names,
)
from remediator.tasks.image_update.planning import Planner, told
from remediator.tasks.image_update.services import Estate
from remediator.tasks.image_update.watch import Patience

log = structlog.get_logger(__name__)

_HOURS = 3600.0


class ImageUpdate:
    """Updates the services of running Compose projects."""

    facts = IMAGE_UPDATE
    parameters = Updating

    def __init__(self, settings: Settings, services: Sequence[Service], keep_label: str, means: Means) -> None:
        """looker, of what is made here, is what looks at services."""
        self._settings, self._means = settings, means
        self._estate = Estate(means.engine)
        images = Images(means.engine, settings.pull_timeout)
        composes = Composes(settings.compose, means.engine.host)
        self.looker = Looker(self._estate, settings, composes, self._registries, keep_label, means.state_dir)
        patience = means.patience or Patience(settings.start_timeout, settings.watch_for)
        self._beforehand = Beforehand(settings, means, self.looker, images)
        self._planner = Planner(settings, means, self.looker, self._beforehand, patience.stay)
        self._changing = Changing(means, self._estate, images, self.looker, self._beforehand, services, patience)
        self.action_timeout = max(
            settings.pull_timeout + 60.0, 8 * _HOURS + 2 * settings.start_timeout + settings.watch_for
        )

    async def targets(self) -> Sequence[str]:
        """All services of Compose projects that have a container (none while the engine is away)."""
        try:
            return await self._estate.targets()
        except UpkeeperError as error:
            log.debug("services of Compose unknown", error=str(error))
            return []

    async def measure(self, target: str) -> Measurement:
        """Breached: a new image waits for nothing but to be taken, or an update is not settled. Values: ``pending`` and
        ``open`` (0 or 1).
        """
        journal = await self._means.journal(target)
        if journal is not None:
            detail = f"an update of {target} to {journal.new.image} is not settled"
            return Measurement(breached=True, values={"pending": 0.0, "open": 1.0}, detail=detail)
        looked = await self.looker.look(target, with_tags=False)
        verdict = self._planner.judge(looked, Updating())
        pending = verdict is not None and verdict.pending
        return Measurement(
            breached=pending, values={"pending": float(pending), "open": 0.0}, detail=told(target, looked, verdict)
        )

    def evidence(self, target: str) -> Sequence[Source]:
        """How a container of it was, and its last words: making it anew takes both away. Of several the one that is
        worst off.
        """

        async def find() -> str:
            found = await self._estate.again(*names(target))
            if not found:
                raise TaskError(f"no container of {target} is here")
            return min(found, key=lambda each: (each.state.running, each.state.health != "unhealthy")).state.id

        return container_sources(self._means.engine, find)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        return await self._planner.plan(target, params)

    async def apply(self, target: str, action: Action) -> Effect:
        if action.kind == BACK_UP:
            return await self._beforehand.back_up(target, str(action.params["series"]))
        if action.kind == PULL:
            return await self._beforehand.pull(str(action.params["image"]))
        if action.kind == EXAMINE:
            return await self._beforehand.examine(target, action)
        if action.kind == REHEARSE:
            return await self._beforehand.rehearse(target, action)
        if action.kind not in (UPDATE, FINISH, KEEP, GO_BACK):
            raise TaskError(f"{self.facts.name} does not know how to {action.kind}")
        return await self._changing.apply(target, action)

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """No image waits any more, or no update is open any more."""
        return any(after.values[key] < before.values[key] for key in ("pending", "open"))

    def _registries(self, insecure: frozenset[str]) -> Registries:
        return Registries(self._means.known, insecure, self._settings.registry_timeout)
