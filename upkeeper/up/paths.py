"""What `upkeeper up` keeps in the state directory for the Prometheus and Alertmanager that it starts. Paths only."""

from dataclasses import dataclass
from pathlib import Path

from remediator.statedir import StateDir


@dataclass(frozen=True)
class Layout:
    """Paths below one state directory. Making the object touches nothing."""

    state: StateDir

    @property
    def lock(self) -> Path:
        """Held while `upkeeper up` runs; the remediator's own lock is another file."""
        return self.state.root / "lock.up"

    @property
    def prometheus(self) -> Path:
        return self.state.root / "prometheus"

    @property
    def prometheus_config(self) -> Path:
        return self.prometheus / "prometheus.yml"

    @property
    def rules(self) -> Path:
        """Upkeeper's own rules, written again at each start."""
        return self.prometheus / "rules"

    @property
    def own_rules(self) -> Path:
        """Rules of the user's, read too and never written."""
        return self.prometheus / "rules.d"

    @property
    def prometheus_data(self) -> Path:
        return self.prometheus / "data"

    @property
    def alertmanager(self) -> Path:
        return self.state.root / "alertmanager"

    @property
    def alertmanager_config(self) -> Path:
        return self.alertmanager / "alertmanager.yml"

    @property
    def templates(self) -> Path:
        return self.alertmanager / "templates"

    @property
    def alertmanager_data(self) -> Path:
        return self.alertmanager / "data"

    @property
    def smtp_password(self) -> Path:
        return self.alertmanager / "secrets" / "smtp-password"

    @property
    def slack_url(self) -> Path:
        return self.alertmanager / "secrets" / "slack-webhook-url"

    @property
    def ntfy_token(self) -> Path:
        return self.alertmanager / "secrets" / "ntfy-token"

    def log(self, name: str) -> Path:
        """The log file of a process."""
        return self.state.root / "log" / f"{name}.log"
