"""What `upkeeper up` finds out and writes down before it starts anything, and again when the config changes."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname
from typing import Any, Self

import yaml

from exporter.configfile.file import load
from exporter.configfile.find import find_config
from remediator.config.config import Config
from remediator.config.shipped import default_remedies
from remediator.statedir import StateDir
from upkeeper.share import share_path
from upkeeper.up import existing
from upkeeper.up.banner import Line
from upkeeper.up.inhibition import inhibit_rules
from upkeeper.up.messages import Local
from upkeeper.up.paths import Layout
from upkeeper.up.ports import DEFAULT_BASE, Ports, require_free, url
from upkeeper.up.programs import ALERTMANAGER, PROMETHEUS, Wanted, find_programs
from upkeeper.up.write_configs import Written, write_configs

OUR_CODE = Path(__file__).resolve().parents[2]
"""What holds the packages that run here, so that the processes run the same, installed or not."""


@dataclass(frozen=True)
class UpOptions:
    """The options of `upkeeper up`."""

    config: Path | None = None
    state_dir: Path | None = None
    port_base: int = DEFAULT_BASE
    prometheus: bool = True
    """Whether to start a Prometheus and an Alertmanager; those that the config gives a URL of are never started."""
    verbose: bool = False
    log_format: str | None = None
    """``text`` or ``json``; None: text on a terminal, else JSON."""


@dataclass
class Prepared:
    """All that a start needs."""

    options: UpOptions
    config_path: Path | None
    config: Config
    layout: Layout
    ports: Ports
    programs: Mapping[Wanted, Path]
    """Of Prometheus and Alertmanager, those that are to be started."""
    share: Path
    command: str
    host: str
    """The name of this machine."""

    @property
    def command_options(self) -> str:
        """What a command needs so that it means this stack. They follow the command; `upkeeper` itself has none."""
        state = self.options.state_dir
        return "" if state is None else f"--state-dir {shlex.quote(str(state))}"

    @classmethod
    def from_options(cls, options: UpOptions, env: Mapping[str, str]) -> Self:
        """Reads the config and looks for the programs. Writes nothing. Raises ClientError and ConfigError."""
        ports = Ports.from_base(options.port_base)
        state = StateDir.find(options.state_dir, env)
        config_path = find_config(options.config, env)
        config = load(config_path, Config, env=env).value
        peers = {PROMETHEUS: config.prometheus, ALERTMANAGER: config.alertmanager}
        programs = find_programs([one for one, peer in peers.items() if options.prometheus and peer is None], env)
        return cls(
            options, config_path, config, Layout(state), ports, programs, share_path(), _command(), gethostname()
        )

    def write_configs(self) -> Written:
        """Writes what Prometheus and Alertmanager read. Raises as upkeeper.up.write_configs.write_configs does."""
        peer, remedies = self.config.alertmanager, self.config.remedies
        return write_configs(
            self.layout,
            self.ports,
            self.config.notify,
            self.share,
            peer.base_urls if peer is not None else None,
            Local(
                self.host,
                default_remedies() if remedies is None else remedies,
                self.config.console.url or url(self.ports.remediator),
            ),
            inhibit_rules(self.config),
        )

    def document(self) -> dict[str, Any]:
        """What another process needs to prepare the same, as JSON."""
        return {
            "config": None if self.config_path is None else str(self.config_path.absolute()),
            "state_dir": None if self.options.state_dir is None else str(self.options.state_dir),
            "port_base": self.options.port_base,
            "prometheus": self.options.prometheus,
            "command": self.command,
            "log_format": self.options.log_format,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], env: Mapping[str, str] = os.environ) -> Self:
        """The same of the config as it is now. Raises ClientError and ConfigError."""
        config, state_dir = document["config"], document["state_dir"]
        options = UpOptions(
            config=None if config is None else Path(config),
            state_dir=None if state_dir is None else Path(state_dir),
            port_base=document["port_base"],
            prometheus=document["prometheus"],
            log_format=document["log_format"],
        )
        prepared = cls.from_options(options, env)
        prepared.command = document["command"]
        return prepared

    def require_free_ports(self) -> None:
        """Raises ClientError when one of the ports is taken."""
        wanted = {"the exporter": self.ports.exporter, "the remediator": self.ports.remediator}
        if PROMETHEUS in self.programs:
            wanted["Prometheus"] = self.ports.prometheus
        if ALERTMANAGER in self.programs:
            wanted["Alertmanager"] = self.ports.alertmanager
        require_free(wanted)

    def instructions(self) -> Sequence[Line]:
        """What to put into a Prometheus or Alertmanager that is not started here; nothing when both are."""
        text: list[str] = []
        if PROMETHEUS not in self.programs:
            base = yaml.safe_load((self.share / "prometheus" / "prometheus.yml").read_bytes())
            rules = self.share / "prometheus" / "rules"
            text += ["", "Add to your prometheus.yml:", ""]
            text += existing.prometheus_part(base, self.layout, self.ports, rules).splitlines()
        if ALERTMANAGER not in self.programs:
            base = yaml.safe_load((self.share / "alertmanager" / "alertmanager.yml").read_bytes())
            text += [
                "",
                "Add to your alertmanager.yml, the routes before your own; it must be able to read the token:",
                "",
            ]
            text += existing.alertmanager_part(base, self.layout, self.ports).splitlines()
        return [[line] for line in text]


def _command() -> str:
    """How to call `upkeeper`: by the name alone where PATH leads to what runs here."""
    called, known = Path(sys.argv[0]), shutil.which("upkeeper")
    if called.name != "upkeeper":
        return f"{shlex.quote(sys.executable)} -m upkeeper.main"
    return "upkeeper" if known is not None and called.samefile(known) else shlex.quote(str(called))
