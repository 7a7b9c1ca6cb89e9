"""This host among those of a database: its name, that it is there, and its signs of life."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

from exporter import __version__
from remediator.control.again import to_be_tried_again
from remediator.store import fleet
from remediator.store.database import Database
from remediator.store.hosts import this_host

if TYPE_CHECKING:
    from remediator.store.presence import Presence


class Calls(NamedTuple):
    """What a host is told by others, and tells them, as Presence has it."""

    on_call: Callable[[], None]
    watchdog: Callable[[], float | None]
    on_watchdog: Callable[[float], None]
    on_orphan: Callable[[], None]
    on_everything: Callable[[], None]
    away_after: Callable[[], float | None]
    on_away: Callable[[], None]


class Membership:
    """labels: what the config in force says of this host, by name."""

    def __init__(
        self, database: Database, clock: Callable[[], float], labels: Callable[[], Mapping[str, str]], calls: Calls
    ) -> None:
        self._database = database
        self._clock = clock
        self._labels = labels
        self._calls = calls
        self.there = False
        """Whether this process is the host's remediator."""

    @cached_property
    def presence(self) -> "Presence | None":
        """This host's name and signs of life, where hosts share the database."""
        if self._database.one_machine or self._database.journal is not None:
            return None
        from remediator.store.presence import Presence

        return Presence(self._database.url, self._database.host, *self._calls)

    async def claim(self) -> None:
        """Takes this host's name, where hosts share the database. Raises ClientError when another process has it."""
        if self.presence is not None:
            await self.presence.claim()

    async def arrive(self, address: str | None = None) -> None:
        """This host is there from now on. address: of its API. Raises SQLAlchemyError where it shares the database."""
        one = fleet.Arrived(self._database.host, __version__, this_host(), address, self._labels())
        alone = self._database.one_machine  # whom nobody looks for
        with to_be_tried_again("it could not be noted that this host is there") if alone else nullcontext():
            await self._database.write(partial(fleet.arrive, one=one, now=self._clock()))
            self.there = True

    async def relabel(self) -> None:
        """The config says what labels this host has, as from now on. Raises SQLAlchemyError."""
        await self._database.write(partial(fleet.relabel, host=self._database.host, labels=self._labels()))

    async def leave(self) -> None:
        """This host ends in order, if it was there."""
        if self.there:
            self.there = False
            with to_be_tried_again("it could not be noted that this host ends"):
                await self._database.write(partial(fleet.leave, host=self._database.host, now=self._clock()))

    async def give_back(self) -> None:
        """Gives the name back, at last."""
        if self.presence is not None:
            await self.presence.close()
