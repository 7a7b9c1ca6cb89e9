"""All of ``upkeeper.yml``: the inventory, and the sections that the remediator reads, each in a file of its own."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from exporter.configfile.quantities import Bytes, Duration
from exporter.configfile.section import Contradiction, Section, repeated_names
from exporter.inventory.inventory import Inventory
from remediator.config.chats import Chats, without_what_mail_needs
from remediator.config.console import Console
from remediator.config.fleet import Fleet, State
from remediator.config.forecasts import Forecasts
from remediator.config.guards import GuardSettings
from remediator.config.images import Images, unknown_names
from remediator.config.notify import Notify
from remediator.config.packages import Packages
from remediator.config.peers import AlertmanagerPeer, Peer, Reconcile, Watchdog
from remediator.config.reboot import Reboot
from remediator.config.remedies import Remedy
from remediator.config.schedule import Schedule
from remediator.config.security import Security


class Remediator(Section):
    """The remediator itself."""

    workers: int = Field(default=2, ge=1, le=32, description="runs at the same time")
    retention: Duration = Field(default=90 * 86400.0, description="finished runs and ended alerts are kept this long")
    page_lease: Duration = Field(
        default=300.0,
        ge=2.0,
        description="how long a page that a remedy holds back stays so without being renewed: if the remediator dies, "
        "it goes out after this time at the latest",
    )
    ballast: Bytes | None = Field(
        default=None,
        description="disk space kept in the state directory for a full disk; 0 for none; default: a hundredth of the "
        "file system, 8MiB to 64MiB",
    )
    audit_retention: Duration = Field(default=365 * 86400.0, description="records of the audit are kept this long")


class Config(Inventory):
    """All of ``upkeeper.yml``: the inventory and what to do about it."""

    remedies: list[Remedy] | None = Field(
        default=None, description="what to do about which alert; default: the remedies that ship with Upkeeper"
    )
    schedule: Schedule = Field(default=Schedule(), description="what runs at which time")
    guards: GuardSettings = Field(
        default=GuardSettings(), description="how runs are guarded, where a remedy does not say otherwise"
    )
    notify: Notify = Field(default=Notify(), description="who hears of alerts")
    packages: Packages = Field(default=Packages(), description="how the packages of the host are kept up to date")
    reboots: Reboot = Field(default=Reboot(), description="how long a reboot of the machine may take")
    security: Security = Field(default=Security(), description="what the security review finds and accepts")
    forecasts: Forecasts = Field(default=Forecasts(), description="when what will be full is worth a warning")
    images: Images = Field(default=Images(), description="how the images of Compose services are updated")
    chats: Chats = Field(default=Chats(), description="where people are asked to approve, beside console and command")
    console: Console = Field(default=Console(), description="the pages for a browser: who may use them")
    remediator: Remediator = Field(default=Remediator(), description="the remediator itself")
    state: State = Field(default=State(), description="where the record is kept")
    fleet: Fleet | None = Field(default=None, description="several hosts on one database: whose an alert is")
    prometheus: Peer | None = Field(default=None, description="a Prometheus that is already there")
    alertmanager: AlertmanagerPeer | None = Field(default=None, description="an Alertmanager that is already there")
    reconcile: Reconcile = Field(default=Reconcile(), description="catches what webhooks did not tell")
    watchdog: Watchdog = Field(default=Watchdog(), description="when the always-firing alert is lost")

    @property
    def tells_nobody(self) -> bool:
        """Whether no person hears of any alert; whom an Alertmanager of a person's own tells is not known here."""
        return self.notify.tells_nobody and self.alertmanager is None

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        yield from super().contradictions(given)
        yield from repeated_names("remedies", given.get("remedies"))
        yield from unknown_names(given)
        state = given.get("state")
        if given.get("fleet") is not None and not (isinstance(state, Mapping) and state.get("database_url_file")):
            yield Contradiction(
                ("fleet",), "needs `state: {database_url_file: ...}` beside it: hosts share one PostgreSQL database"
            )
        yield from without_what_mail_needs(given)
        if "remedies" in given and given["remedies"] is None:
            yield Contradiction(("remedies",), "has no value; write [] for none, or remove it for those that ship")
