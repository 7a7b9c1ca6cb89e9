"""What a pause silences in Alertmanager: all alerts of this host, or those that ask for the task that is paused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from exporter.base.text import format_time
from remediator.config.config import Config
from remediator.config.matchers import parse_matchers
from remediator.decide.remedies import Remedies
from remediator.model.errors import unavailable, unprocessable
from remediator.model.lease import Lease
from remediator.model.silence import Matcher
from remediator.runs.silencer import Silencer
from remediator.store import silences
from remediator.store.database import Database
from remediator.webhook.watchdog import NAME as WATCHDOG

EVERYTHING = (Matcher("alertname", ".+", regex=True), Matcher("alertname", WATCHDOG, equal=False))
"""But for the Watchdog: without it alerts could no longer be told from a broken way."""


def to_silence(config: Config, remedies: Remedies, task: str | None) -> Sequence[Sequence[Matcher]]:
    """The matchers of each silence. Pure. Raises RequestError.

    An Alertmanager that `upkeeper up` starts has this host's alerts only. Another one may have those of many hosts, so
    the config must say which are this one's.
    """
    ours: list[Matcher] = []
    if config.alertmanager is not None:
        if config.alertmanager.alerts_of_this_host is None:
            raise unprocessable(
                "this Alertmanager may have alerts of other hosts too: set `alerts_of_this_host:` under "
                "`alertmanager:` in the config, as in ['instance=~\"web1:.*\"'], or pause without a silence"
            )
        ours = _parsed(config.alertmanager.alerts_of_this_host)
    if task is None:
        return [[*ours, *EVERYTHING]]
    found = [[*ours, *_parsed(remedy.match)] for remedy in remedies.remedies if remedy.task == task]
    if not found:
        raise unprocessable(f"no remedy runs {task}, so no alert is about it: pause without a silence")
    return found


def _parsed(texts: Sequence[str]) -> list[Matcher]:
    return [
        Matcher(one.name, one.value, regex="~" in one.op, equal=one.op.startswith("="))
        for text in texts
        for one in parse_matchers(text)
    ]


@dataclass
class PauseSilences:
    """Makes and ends the silences of pauses. changed: called when there are others."""

    database: Database
    silencer: Silencer
    config: Callable[[], Config]
    remedies: Callable[[], Remedies]
    clock: Callable[[], float]
    changed: Callable[[], None] = field(default=lambda: None)

    async def make(self, task: str | None, reason: str, until: float) -> Sequence[Lease]:
        """Makes them in Alertmanager. Raises RequestError where that cannot be done; then there are none."""
        made: list[Lease] = []
        comment = f"Upkeeper pause of {task or 'everything'} until {format_time(until)}: {reason}"
        for matchers in to_silence(self.config(), self.remedies(), task):
            lease = await self._want(task, matchers, comment, until)
            made.append(lease)
            put = await self.silencer.put(lease, until)
            if not put.kept:
                for one in made:
                    await self._end(one.id, "could not be made")
                raise unavailable(f"{put.failed[0]}; nothing was paused. Without a silence it can be")
        self.changed()
        return made

    async def _want(self, task: str | None, matchers: Sequence[Matcher], comment: str, until: float) -> Lease:
        want = partial(silences.want, matchers=matchers, comment=comment, now=self.clock(), task=task, until=until)
        id = await self.database.write(partial(want, host=self.database.host, purpose="pause"))
        return await self._live(id)

    async def _live(self, id: int) -> Lease:
        (lease,) = await self.database.read(partial(silences.live, host=self.database.host, id=id))
        return lease

    async def _end(self, id: int, reason: str) -> None:
        await self.silencer.end(await self._live(id), reason)

    async def withdraw(self, made: Sequence[Lease]) -> None:
        """Ends those of a pause that did not come about."""
        for lease in made:
            await self._end(lease.id, "the pause did not come about")
        self.changed()

    async def end(self, task: str | None, reason: str, *, but: Sequence[Lease] = ()) -> None:
        """Ends those of the pause of a task, or of the general one."""
        kept = {lease.id for lease in but}
        for lease in await self.all():
            if lease.task == task and lease.id not in kept:
                await self.silencer.end(lease, reason)
        self.changed()

    async def all(self, host: str | None = None) -> Sequence[Lease]:
        """Those in force. host: else this one."""
        found = await self.database.read(partial(silences.live, host=host or self.database.host))
        return [lease for lease in found if lease.purpose == "pause" and (lease.until or 0.0) > self.clock()]
