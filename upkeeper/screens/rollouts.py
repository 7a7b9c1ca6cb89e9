"""Rollouts on the screen."""

from collections.abc import Sequence

from exporter.base.text import counted
from exporter.base.units import format_duration
from remediator.model.shapes.answers import Page
from remediator.model.shapes.rollouts import RolloutHostView, RolloutView
from upkeeper.screens.cells import Cell, Column, state
from upkeeper.screens.screen import Screen
from upkeeper.screens.text import local


def show_plan(screen: Screen, planned: RolloutView) -> None:
    """The waves of a rollout that has not begun."""
    screen.document(planned)
    taking_part = [one for one in planned["hosts"] if one["wave"]]
    where = f"one host with the same {planned['label']} at a time" if planned["label"] else "one host at a time"
    screen.line(
        f"{planned['task']} on {planned['target']}: {counted(len(taking_part), 'host')} in "
        f"{counted(planned['waves'], 'wave')}, {where}"
    )
    watched = "no new alert fires" if planned["alerts"] else "whatever alerts fire"
    screen.line(f"after each wave {format_duration(round(planned['wait']))} in which {watched}")
    _hosts(screen, planned["hosts"])


def show_rollout(screen: Screen, rollout: RolloutView) -> None:
    """A rollout with its hosts."""
    screen.document(rollout)
    screen.line(
        f"rollout {rollout['id']}: {rollout['task']} on {rollout['target']}, ", state(rollout["state"]), _turn(rollout)
    )
    if rollout["reason"]:
        screen.line(f"  {rollout['reason']}")
    _hosts(screen, rollout["hosts"])
    if rollout["state"] in ("stopped", "cancelled"):
        screen.line(f"go on: upkeeper rollout --resume {rollout['id']}, with --without HOST to leave a host out")


def show_rollouts(screen: Screen, page: Page[RolloutView]) -> None:
    """A line each."""
    screen.document(page)
    screen.table(
        [
            Column("id", right=True),
            Column("asked at"),
            Column("task"),
            Column("target"),
            Column("state"),
            Column("hosts", right=True),
            Column("reason", wide=True),
        ],
        [
            [
                str(one["id"]),
                local(one["asked_at"]),
                Cell(one["task"], "bold"),
                one["target"],
                state(one["state"]),
                _share(one["hosts"]),
                one["reason"] or one["hitch"] or "-",
            ]
            for one in page["items"]
        ],
        empty="nothing was rolled out",
    )


class Progress:
    """Says on stderr what has changed, a line each."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._said = ""

    def show(self, rollout: RolloutView) -> None:
        under_way = ", ".join(one["host"] for one in rollout["hosts"] if one["state"] == "running")
        text = f"rollout {rollout['id']}: {rollout['state']}{_turn(rollout)}, {_share(rollout['hosts'])} hosts well"
        if under_way:
            text += f", under way on {under_way}"
        if text != self._said:
            self._said = text
            self._screen.note(text)


def _turn(rollout: RolloutView) -> str:
    if rollout["state"] != "running":
        return ""
    parts = [f"wave {rollout['wave']} of {rollout['waves']}"] if rollout["wave"] else ["all waves are over"]
    if rollout["next_at"] is not None:
        parts.append(f"waits until {local(rollout['next_at'])}")
    if rollout["hitch"]:
        parts.append(f"held up: {rollout['hitch']}")
    return ", " + ", ".join(parts)


def _share(hosts: Sequence[RolloutHostView]) -> str:
    return f"{sum(one['state'] == 'well' for one in hosts)}/{sum(one['wave'] > 0 for one in hosts)}"


def _hosts(screen: Screen, hosts: Sequence[RolloutHostView]) -> None:
    screen.table(
        [
            Column("wave", right=True),
            Column("host"),
            Column("domain"),
            Column("state"),
            Column("run", right=True),
            Column("reason", wide=True),
        ],
        [
            [
                str(one["wave"] or "-"),
                Cell(one["host"], "bold"),
                one["domain"] or "-",
                state(one["state"]),
                str(one["run"] or "-"),
                one["reason"] or "-",
            ]
            for one in hosts
        ],
    )
