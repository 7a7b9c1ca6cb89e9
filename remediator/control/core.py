"""The remediator without its web server: the parts that do its operations, composed.

The API is a thin layer on this; without a running remediator the command line uses it directly, on the same state.
A part is imported and made when it is first needed, so that a command that reads the record loads nothing that acts.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from remediator.api.operations import DIGITS, Operation, Operations
from remediator.control.place import Place
from remediator.model.caller import ASKING, COMMAND, Caller
from remediator.model.errors import not_found
from remediator.model.tasks import facts_of
from remediator.progress import Underway
from remediator.statedir import StateDir
from remediator.store.ballast import Ballast
from remediator.store.database import Database

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from remediator.chat.chats import Chats
    from remediator.chat.links import Links
    from remediator.config import fleet as fleet_config
    from remediator.config.config import Config
    from remediator.control.access import Access
    from remediator.control.approving import Approving
    from remediator.control.asking import Asking
    from remediator.control.auditing import Auditing
    from remediator.control.ballast import BallastKeeper
    from remediator.control.cancelling import Cancelling
    from remediator.control.cataloguing import Cataloguing
    from remediator.control.configuring import Configuring
    from remediator.control.discovery import DiscoveryFiles
    from remediator.control.explaining import Explaining
    from remediator.control.fleet import Fleet
    from remediator.control.forecasting import Forecasting
    from remediator.control.foretelling import Foretelling
    from remediator.control.holding import Holding
    from remediator.control.image_news import ImageNewsKeeper
    from remediator.control.journal import Journal
    from remediator.control.membership import Membership
    from remediator.control.queue import Queue
    from remediator.control.reading import Reading
    from remediator.control.rolling import Rolling
    from remediator.control.running import Running
    from remediator.control.scheduling import Scheduling
    from remediator.control.settings import Settings
    from remediator.control.silencing import PauseSilences
    from remediator.control.standing import Standing
    from remediator.control.trusting import Trusting
    from remediator.control.upkeep import Upkeep
    from remediator.decide.decider import Decider
    from remediator.decide.means import Means
    from remediator.decide.remedies import Remedies
    from remediator.decide.routing import Routing
    from remediator.guards.judge import Judge
    from remediator.metrics import Metrics
    from remediator.model.alert import Notification
    from remediator.model.task import Task
    from remediator.peers.places import Peers
    from remediator.rollout.driver import Driver
    from remediator.rollout.sight import Looking
    from remediator.runs.closing import Closing
    from remediator.runs.composites import Composites
    from remediator.runs.keeper import Keeper
    from remediator.runs.silencer import Silencer
    from remediator.runs.waiting import Waiting
    from remediator.schedule.scheduler import Scheduler
    from remediator.telling.reach import Reach
    from remediator.telling.telling import Telling
    from remediator.webhook.inbox import Inbox
    from remediator.webhook.reconciler import Reconciler
    from remediator.webhook.restarts import Continuity
    from remediator.webhook.watchdog import Watchdog


class Core(Operations):
    """Does the operations on one state directory, and what a service does beside them.

    Operations raise RequestError; a database that fails raises sqlalchemy.exc.SQLAlchemyError. settings: those in
    force, or how to load them when they are first needed. place: of the record, unless that is the state directory's
    file. caller: who asks for runs and holds. on_room: as the
    Database's. journal: what follows a record that hosts share. on_away: called when that has not answered for so long
    as the config says.
    """

    def __init__(
        self,
        state: StateDir,
        settings: "Settings | Callable[[], Settings]",
        *,
        clock: Callable[[], float] = time.time,
        caller: Caller = COMMAND,
        on_room: Callable[[str], None] = lambda _: None,
        place: Place | None = None,
        journal: "Journal | None" = None,
        on_away: Callable[[], None] = lambda: None,
    ) -> None:
        self._journal = journal
        self._on_away = on_away
        self.state = state
        self._given = settings
        self._clock = clock
        self._caller = lambda: ASKING.get() or caller
        self._ballast = Ballast(state.root)
        self._underway = Underway()
        place = place or Place(state.database)
        self.place = place
        self._database = Database(
            place.database, on_room, make_room=self._ballast.release, host=place.host, journal=place.journal
        )
        self._routing: tuple[fleet_config.Fleet | None, Routing] | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._abandoned = False
        self.left_exact = False
        """Whether the journal had all that was stored in the record when this was closed."""

    @property
    def host(self) -> str:
        """The name of this machine in the record."""
        return self._database.host

    @property
    def clock(self) -> Callable[[], float]:
        """Unix seconds."""
        return self._clock

    @property
    def writes(self) -> int:
        """How often this process has written to the record."""
        return self._database.writes

    async def ask(self, operation: Operation, values: Mapping[str, Any]) -> Any:
        for name, value in values.items():
            if isinstance(value, int) and abs(value) >= 10**DIGITS:
                raise not_found(f"there is no {name} {value}")  # and no database that could look for it
        return await getattr(getattr(self, operation.part), operation.name)(**values)

    # The parts that do operations, by their names in the table.

    @cached_property
    def reading(self) -> "Reading":
        from remediator.control.reading import Reading

        return Reading(self._database, self._underway)

    @cached_property
    def standing(self) -> "Standing":
        from remediator.control.standing import Standing

        return Standing(
            self._database,
            self._tasks,
            self.trusting,
            self.holding,
            self.auditing,
            self.ballast,
            self.watchdog,
            self._clock,
            lambda: self._settings.config,
            self.place.since,
            lambda: self.reach.ways,
        )

    @cached_property
    def holding(self) -> "Holding":
        from remediator.control.holding import Holding

        return Holding(self._means, self._caller, self._look_again, self._pause_silences, self._ask_other)

    async def _ask_other(self, host: str, operation: str, **given: Any) -> Any:
        return await self.asking.ask(host, operation, **given)

    @cached_property
    def asking(self) -> "Asking":
        from remediator.control.asking import Asking

        return Asking(self._database, self._clock, self._caller, self.ask, self._obeys)

    def _obeys(self) -> "Sequence[str] | None":
        fleet = self._settings.config.fleet
        return None if fleet is None else fleet.obeys

    @cached_property
    def _pause_silences(self) -> "PauseSilences":
        from remediator.control.silencing import PauseSilences

        return PauseSilences(
            self._database,
            self.silencer,
            lambda: self._settings.config,
            self._remedies,
            self._clock,
            self._wake_keeper,
        )

    @cached_property
    def running(self) -> "Running":
        from remediator.control.running import Running

        return Running(self._means, self._caller, lambda run: self.queue.submit(run), self.fleet.hand_over)

    @cached_property
    def cancelling(self) -> "Cancelling":
        from remediator.control.cancelling import Cancelling

        look = lambda: self._composites.wake()  # noqa: E731
        return Cancelling(self._database, self._closing, self._clock, self._caller, look, self._ask_other)

    @cached_property
    def approving(self) -> "Approving":
        from remediator.control.approving import Approving

        return Approving(
            self._means,
            self._caller,
            self.waiting,
            self._closing,
            lambda *turn: self.queue.submit(*turn),
            self._ask_other,
        )

    @cached_property
    def scheduling(self) -> "Scheduling":
        from remediator.control.scheduling import Scheduling

        return Scheduling(self._database, lambda: self._settings.config, self._tasks, self._clock)

    @cached_property
    def cataloguing(self) -> "Cataloguing":
        from remediator.control.cataloguing import Cataloguing

        return Cataloguing(lambda: self._settings.config, self._clock)

    @cached_property
    def forecasting(self) -> "Forecasting":
        from remediator.control.forecasting import Forecasting

        return Forecasting(self._database, self._foretells)

    @cached_property
    def configuring(self) -> "Configuring":
        from remediator.control.configuring import Configuring

        return Configuring(lambda: self._settings)

    @cached_property
    def trusting(self) -> "Trusting":
        from remediator.control.trusting import Trusting

        configured = lambda: self._settings.remedies  # noqa: E731
        return Trusting(self._database, configured, self._clock, self._caller, self._look_again, self._ask_other)

    @cached_property
    def explaining(self) -> "Explaining":
        from remediator.control.explaining import Explaining

        return Explaining(self._means)

    @cached_property
    def access(self) -> "Access":
        from remediator.control.access import Access

        return Access(self._database, self._clock, self._caller)

    @cached_property
    def discovery_files(self) -> "DiscoveryFiles":
        from remediator.control.discovery import DiscoveryFiles

        return DiscoveryFiles(lambda: self.fleet, lambda: self.config, lambda: self._database.journal is None)

    @cached_property
    def fleet(self) -> "Fleet":
        from remediator.control.fleet import Fleet

        return Fleet(self._database, self._clock, self._caller, lambda: self.membership.there)

    @cached_property
    def rolling(self) -> "Rolling":
        from remediator.control.rolling import Rolling

        return Rolling(
            self._database,
            self._looking,
            self._clock,
            self._caller,
            lambda: self.membership.there,
            lambda: self.driver.wake(),
            self._ask_other,
        )

    @cached_property
    def _looking(self) -> "Looking":
        from remediator.rollout.sight import Looking

        lost = lambda: self.watchdog.state().lost  # noqa: E731
        return Looking(self._database, self.peers, lambda: self._settings.config, lost, self._clock)

    # What a service does beside operations.

    @cached_property
    def driver(self) -> "Driver":
        from remediator.rollout.driver import Driver

        return Driver(self._database, self._looking, self._clock, self._called)

    @cached_property
    def inbox(self) -> "Inbox":
        from remediator.webhook.inbox import Inbox

        return Inbox(self._database, self._clock, self.decider.wake, self._received, self._router)

    def _router(self) -> "Routing | None":
        """Whose an alert is, where hosts share the database."""
        if self._database.one_machine:
            return None
        fleet = self._settings.config.fleet
        if self._routing is None or self._routing[0] is not fleet:
            from remediator.decide.routing import Routing

            self._routing = fleet, Routing(self._database.host, fleet)
        return self._routing[1]

    def _received(self, notification: "Notification") -> None:
        if notification.truncated_alerts:
            self.reconciler.cut_off(notification.group_labels)
        if any(
            alert.labels.get("alertname") == "Watchdog" and alert.status == "firing" for alert in notification.alerts
        ):
            self.watchdog.heard()

    @cached_property
    def watchdog(self) -> "Watchdog":
        from remediator.webhook.watchdog import Watchdog

        return Watchdog(lambda: self._settings.config.watchdog, self._clock, lambda: self.decider.look_at_all())

    @cached_property
    def continuity(self) -> "Continuity":
        from remediator.webhook.restarts import Continuity

        return Continuity(self._database, self.peers, self._clock)

    @cached_property
    def reconciler(self) -> "Reconciler":
        from remediator.webhook.reconciler import ReconcileMetrics, Reconciler

        return Reconciler(
            self._database,
            self.peers,
            lambda: self._settings.config,
            self._remedies,
            self._clock,
            self.watchdog,
            self.continuity,
            ReconcileMetrics(self.registry),
            self._changed,
            lambda started: self.keeper.alertmanagers(started),
            self._router,
        )

    def _changed(self) -> None:
        """An alert or a run has changed."""
        self.decider.wake()
        self._wake_keeper()

    @cached_property
    def silencer(self) -> "Silencer":
        from remediator.runs.silencer import Silencer

        return Silencer(self._database, self.peers, self._clock)

    @cached_property
    def keeper(self) -> "Keeper":
        from remediator.runs.keeper import Keeper, SilenceMetrics

        return Keeper(
            self._database,
            self.silencer,
            self._remedies,
            lambda: self._settings.config.remediator.page_lease,
            self._clock,
            lambda: self.reconciler.look_soon(),
            SilenceMetrics(self.registry),
        )

    @cached_property
    def decider(self) -> "Decider":
        from remediator.decide.decider import Decider

        def submit(run: int) -> Awaitable[None]:
            return self.queue.submit(run)

        def join(ids: Sequence[int]) -> Awaitable[None]:
            return self.continuity.join(ids)

        return Decider(self._means, submit, self.metrics, self.waiting, join, self._wake_keeper)

    @cached_property
    def waiting(self) -> "Waiting":
        from remediator.runs.waiting import Waiting

        return Waiting(self._database, self._closing, self._clock)

    @cached_property
    def _closing(self) -> "Closing":
        from remediator.runs.closing import Closing
        from remediator.runs.trust import Trust

        return Closing(self.metrics, self._run_ended, Trust(self.trusting, self._database.host))

    @cached_property
    def chats(self) -> "Chats":
        from remediator.chat.chats import Chats
        from remediator.chat.make import channels

        return Chats(self._database, lambda: self.approving, lambda: self.config, channels, self._clock)

    @cached_property
    def links(self) -> "Links":
        from remediator.chat.links import Links

        return Links(self._database, lambda: self.approving, lambda: self.config)

    @cached_property
    def telling(self) -> "Telling":
        from remediator.telling.telling import Telling

        return Telling(self._database, lambda: self.config, self._clock, self.reach)

    @cached_property
    def reach(self) -> "Reach":
        from remediator.telling.reach import Reach

        return Reach(self._clock, self.registry)

    @cached_property
    def scheduler(self) -> "Scheduler":
        from remediator.schedule.metrics import JobMetrics
        from remediator.schedule.scheduler import Scheduler

        return Scheduler(
            self._means,
            lambda: self._settings.config.schedule,
            lambda run: self.queue.submit(run),
            JobMetrics(self.registry, self._clock),
        )

    @cached_property
    def queue(self) -> "Queue":
        from remediator.control.queue import Queue
        from remediator.runs.steps import Runner

        ending = (self._closing, self._changed)
        runner = Runner(self._means, self.metrics, *ending, self._ballast.release_after, self._underway)
        workers = lambda: self._settings.config.remediator.workers  # noqa: E731
        begins = None if self._journal is None else self._journal.hold
        parts = (self._composites, self._tasks, self._ballast)
        refuses = lambda host: self.asking.refusal(host)  # noqa: E731
        return Queue(self._database, runner, *parts, workers, self._clock, begins, refuses)

    @cached_property
    def _composites(self) -> "Composites":
        from remediator.runs.composites import Composites
        from remediator.schedule.autonomy import of_part

        return Composites(
            self._database,
            self._tasks,
            lambda run: self.queue.submit(run),
            lambda run, task: of_part(self._settings.config.schedule, run, task),
            self._closing,
            self._clock,
        )

    @cached_property
    def ballast(self) -> "BallastKeeper":
        from remediator.control.ballast import BallastKeeper

        size = lambda: self._settings.config.remediator.ballast  # noqa: E731
        return BallastKeeper(self._ballast, size, self._database, self._clock)

    @cached_property
    def upkeep(self) -> "Upkeep":
        from remediator.control.upkeep import Upkeep

        return Upkeep(
            self._database,
            self.holding,
            self.auditing,
            self.metrics,
            self._clock,
            lambda: self._settings.config.remediator,
            lambda run_ids: self.queue.forget(run_ids),
            self._remedies,
            self.ballast,
            lambda: [name for name, facts in facts_of(self._tasks()).items() if facts.only_looks],
            self._foretelling,
            self._image_news,
        )

    @cached_property
    def _image_news(self) -> "ImageNewsKeeper":
        from remediator.control.image_news import ImageNewsKeeper
        from remediator.images.metrics import ImageMetrics

        return ImageNewsKeeper(self.state.root, ImageMetrics(self.registry, lambda: self._settings.config.images))

    @cached_property
    def _foretelling(self) -> "Foretelling":
        from remediator.control.foretelling import Foretelling
        from remediator.forecast.metrics import ForecastMetrics

        metrics = ForecastMetrics(self.registry, lambda: self._settings.config.forecasts, self._clock)
        return Foretelling(self._database, metrics, self._foretells)

    def _foretells(self) -> Sequence[str]:
        """The tasks whose rows are forecasts."""
        return [name for name, facts in facts_of(self._tasks()).items() if facts.foretells]

    @cached_property
    def auditing(self) -> "Auditing":
        from remediator.control.auditing import Auditing

        return Auditing(self._database, self._clock)

    @cached_property
    def metrics(self) -> "Metrics":
        from prometheus_client import CollectorRegistry

        from remediator.metrics import Metrics

        metrics = Metrics(CollectorRegistry())
        metrics.journal(self.place.since)
        return metrics

    @cached_property
    def peers(self) -> "Peers":
        from remediator.peers.places import Peers

        return Peers(lambda: self._settings.config, self.state.root)

    @property
    def registry(self) -> "CollectorRegistry":
        return self.metrics.registry

    @cached_property
    def _judge(self) -> "Judge":
        from remediator.guards.guard import Sources
        from remediator.guards.judge import Judge

        return Judge(Sources(self._database, self.peers, self._tasks, lambda: self.watchdog.reason()))

    @cached_property
    def _means(self) -> "Means":
        from remediator.decide.means import Means

        return Means(self._database, self._judge, self._tasks, self._remedies, self._clock)

    # The settings in force.

    @cached_property
    def _settings(self) -> "Settings":
        settings = self._given() if callable(self._given) else self._given
        settings.resources.attach(self._database, self)
        return settings

    @property
    def config(self) -> "Config":
        """The one in force."""
        return self._settings.config

    def _tasks(self) -> "Mapping[str, Task]":
        return self._settings.tasks

    def _remedies(self) -> "Remedies":
        return self.trusting.remedies()

    def apply_settings(self, settings: "Settings") -> None:
        """Puts a new config in force. A step under way continues with the old one."""
        settings.resources.attach(self._database, self)
        self._settings = settings
        self._look_again()

    def _look_again(self) -> None:
        """What is in force has changed: remedies, the schedule, pauses, breakers."""
        self.decider.look_at_all()
        self.ballast.wake()
        self._wake_scheduler()

    def _run_ended(self, run_id: int) -> None:
        if "decider" in vars(self):  # only a service has one
            self.decider.run_ended(run_id)
        self._changed()
        self._composites.wake()
        self.ballast.wake()
        self._wake_scheduler()

    def _wake_keeper(self) -> None:
        if "keeper" in vars(self):  # only a service has one
            self.keeper.wake()

    def _wake_scheduler(self) -> None:
        if "scheduler" in vars(self):  # only a service has one
            self.scheduler.wake()

    # Among the hosts of a database.

    @cached_property
    def membership(self) -> "Membership":
        from remediator.control.membership import Calls, Membership

        calls = Calls(
            self._called,
            lambda: self.watchdog.last,
            lambda at: self.watchdog.heard_elsewhere(at),
            lambda: self.driver.wake(),
            self._look_again,
            lambda: self._settings.config.state.journal_after,
            self._on_away,
        )
        return Membership(self._database, self._clock, lambda: self._settings.config.host.labels, calls)

    def _called(self) -> None:
        """Another host has something for this one, has ended a run of it, or the database was away."""
        if self._journal is not None:
            self._journal.look()
        self.decider.wake()
        if "_composites" in vars(self):
            self._composites.wake()
        self._wake_scheduler()
        if "queue" in vars(self):
            self._begin(self.queue.pick_up(), "pick up runs")
            self._begin(self.asking.take_up(), "what others ask for")
        self._wake_keeper()

    def _begin(self, work: "Coroutine[Any, Any, None]", name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    # From start to end.

    async def open(self) -> None:
        """Opens the record, bringing its tables up to date, and brings its journal home, if that was in use.

        Raises NoRoom, SQLAlchemyError, and remediator.control.journal.UnderWay.
        """
        await self._database.migrate()
        if self._journal is not None:
            await self._journal.bring_home(self._database)
            self._journal.follow(self._database)
        await self.trusting.load()

    async def listen(self) -> None:
        """From now on webhooks come here. Raises SQLAlchemyError."""
        from remediator.store import pages

        watchdog = await self._database.read(pages.last_watchdog)
        self.watchdog.begin(watchdog)
        self.watchdog.register(self.registry)

    async def start_engine(self) -> None:
        """Starts the engine, and resumes what an earlier process left. Raises NoRoom; then call it again."""
        await self.queue.start()
        await self.waiting.settle()

    async def is_idle(self) -> bool:
        """Whether nothing is under way that cannot be gone on with on another database."""
        from remediator.store import homecoming

        return not await self._database.read(homecoming.under_way)

    def abandon(self) -> None:
        """The database is away: what is being asked of it fails, and closing asks nothing of it."""
        self._abandoned = True
        self._database.abort()

    async def close(self) -> None:
        for task in self._calls:
            task.cancel()
        if "queue" in vars(self):
            await self.queue.stop(in_order=not self._abandoned)
        if "membership" in vars(self) and not self._abandoned:
            await self.membership.leave()
        if self._journal is not None:
            self.left_exact = self._journal.exact
            await self._journal.leave()
        await self._database.close()
        if "membership" in vars(self):
            await self.membership.give_back()
