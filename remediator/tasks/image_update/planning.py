"""What would be done about a service: to bring it to a new image, or to settle an update that is not. Only reads."""

from collections.abc import Sequence
from typing import cast

from pydantic import JsonValue

from exporter.base.units import format_bytes, format_duration
from remediator.config.images import Images as Settings
from remediator.model.task import NO_PARAMS, Action, Params, Plan, TaskError
from remediator.tasks.image_update.beforehand import Beforehand
from remediator.tasks.image_update.choose import Verdict, judge
from remediator.tasks.image_update.journal import Journal
from remediator.tasks.image_update.look import Looked, Looker, services_of
from remediator.tasks.image_update.means import FINISH, GO_BACK, KEEP, PULL, UPDATE, Means, Updating
from remediator.tasks.image_update.showing import few, row_of


class Planner:
    """Of all services. stay: seconds for which a service is watched."""

    def __init__(self, settings: Settings, means: Means, looker: Looker, beforehand: Beforehand, stay: float) -> None:
        self._settings, self._means, self._looker, self._beforehand = settings, means, looker, beforehand
        self._stay = stay

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        """Raises UpkeeperError."""
        asked = Updating.model_validate(dict(params))
        if not self._means.has_state:
            raise TaskError("without a state directory no image is updated: an interruption would be forgotten")
        journal = await self._means.journal(target)
        if journal is not None:
            return unsettled(target, journal, asked)
        if asked.settle:
            return Plan(notes=[f"No update of {target} waits for an answer."])
        looked = await self._looker.look(target)
        verdict = self.judge(looked, asked)
        notes = [*looked.notes, *_tags_noted(looked)]
        hold = looked.left_out or ("" if verdict is None else verdict.hold)
        actions: list[Action] = []
        backup = ""
        if verdict is not None and not hold:
            backup, hold, back_up = await self._beforehand.backup(target)
            hold = (
                hold
                or await self._beforehand.went_back(target, looked, asked)
                or await self._beforehand.would_change(looked)
            )
            if not hold:
                pull, change = self._actions(target, looked, verdict, backup)
                image = str(change.params["image"])
                examined, hold = await self._beforehand.examination(target, image, looked.member.image_id)
                rehearsal, hold = ([], hold) if hold else await self._beforehand.rehearsal(target, image)
                actions = [] if hold else [*back_up, pull, *examined, *rehearsal, change]
        notes += _notes(looked, verdict, hold, actions)
        asks = ""
        if actions and looked.policy == "approve":
            asks = f"a person must approve the new image of {target}: it is not labelled upkeeper.update=auto"
        row = row_of(target, looked, verdict, hold, backup)
        return Plan(actions=actions, rows=[row], notes=notes, asks=asks)

    def judge(self, looked: Looked, asked: Updating) -> Verdict | None:
        """None where there is nothing to judge: it is current, or left out."""
        if looked.left_out or looked.current or looked.candidate is None:
            return None
        return judge(
            looked.candidate, self._settings.min_age, self._means.clock(), young=asked.young, major=asked.major
        )

    def _actions(self, target: str, looked: Looked, verdict: Verdict, backup: str) -> list[Action]:
        candidate = looked.candidate
        assert candidate is not None
        pinned = candidate.image.pinned(candidate.remote.digest)
        pull = Action(
            kind=PULL, object=pinned, params={"image": pinned},
            reason=f"built {candidate.remote.created or '(when is not told)'}, {format_bytes(candidate.remote.bytes)}",
        )  # fmt: skip
        running = next(iter(sorted(candidate.local.digests)), candidate.local.id)
        parts = [f"from {looked.member.image} ({running[:19]}, built {candidate.local.created[:10]})"]
        if verdict.major:
            parts.append(f"another major version: {verdict.major}")
        if len(looked.members) > 1:
            parts.append(f"all {len(looked.members)} containers, as Compose does")
        with_it = [each.state.name for each in (*looked.sharers, *looked.restarted)]
        if with_it:
            parts.append(f"with it go {', '.join(with_it)}")
        parts.append(f"watched for {format_duration(self._stay)}")
        parts.append(f"backup: {backup}" if backup else "no backup is named for it")
        params: dict[str, JsonValue] = {
            "image": pinned, "made_for": looked.image, "containers": [each.state.id for each in looked.members],
            "former": looked.member.image_id, "sharers": cast(list[JsonValue], services_of(looked.sharers)),
        }  # fmt: skip
        return [pull, Action(kind=UPDATE, object=target, reason="; ".join(parts), params=params)]


def unsettled(target: str, journal: Journal, asked: Updating) -> Plan:
    """What is done about an update that is not settled. Pure. Raises TaskError."""
    image: dict[str, JsonValue] = {"image": journal.new.image}
    if journal.stage != "asked" and not asked.settle:
        reason = f"to {journal.new.image}: it was interrupted, and is finished, or goes back"
        return Plan(actions=[Action(kind=FINISH, object=target, reason=reason, params=image)])
    if not asked.settle:
        note = (
            f"{target} is not well on {journal.new.image} ({journal.problem}), and a person must say what is to "
            f"stay: settle=keep, settle=image{' or settle=image-and-data' if journal.set else ''}."
        )
        return Plan(notes=[note])
    if asked.settle == "keep":
        return Plan(actions=[Action(kind=KEEP, object=target, reason=journal.new.image, params=image)])
    with_data = asked.settle == "image-and-data"
    if with_data and not journal.set:
        raise TaskError(f"no set of the data of {target} was made at rest: settle=image, and upkeeper restore")
    what = f"{journal.former}{f', and its data from {journal.set}' if with_data else ', on the data as it is'}"
    return Plan(actions=[Action(kind=GO_BACK, object=target, reason=what, params={**image, "with_data": with_data})])


def told(target: str, looked: Looked, verdict: Verdict | None) -> str:
    """How a service and its image are, in words. Pure."""
    if looked.left_out:
        return f"{target} is left out: {looked.left_out}"
    if looked.current or looked.candidate is None or verdict is None:
        return f"{target} runs what its registry has of {looked.image}"
    digest = looked.candidate.remote.digest[:19]
    return f"{target}: {looked.image} has a new image ({digest}){f'; {verdict.hold}' if verdict.hold else ''}"


def _tags_noted(looked: Looked) -> list[str]:
    notes = []
    if looked.newer:
        notes.append(
            f"Newer versions of {looked.image}: {few(looked.newer)}; write one into the Compose file to take it."
        )
    if looked.newer_major:
        notes.append(f"Other major versions: {few(looked.newer_major)}.")
    return notes


def _notes(looked: Looked, verdict: Verdict | None, hold: str, actions: Sequence[Action]) -> list[str]:
    name = looked.member.target
    if looked.left_out:
        return [f"{name} is left out: {looked.left_out}."]
    if verdict is None:
        return [f"{name} runs what its registry has of {looked.image}."]
    if hold:
        return [f"{name} stays as it is: {hold}."]
    if not actions:
        return []
    return [] if looked.restarted or looked.sharers or not looked.member.mounts else _DATA


_DATA = ["It has data: an image alone goes back by itself only while nothing was written to them since it was healthy."]
