"""The config in force, or what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from exporter.configfile.dialect import dump
from exporter.configfile.file import Loaded, load
from exporter.configfile.masked import masked, plain
from exporter.configfile.named_files import secret_files, secret_files_elsewhere
from exporter.configfile.problem import ConfigError
from remediator.config.config import Config
from remediator.diagnosis.part import Part

MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Found:
    """A config file as far as it can be read. documents: what it holds, secrets too. files: that it names, with a
    secret each. problem: why it is not in force.
    """

    path: Path | None
    loaded: Loaded[Config] | None = None
    documents: Sequence[Any] = ()
    files: Sequence[str] = ()
    problem: str = ""

    @property
    def config(self) -> Config:
        """The one in force; the defaults where it is broken."""
        return Config() if self.loaded is None else self.loaded.value

    @property
    def docker_host(self) -> str | None:
        """Where the engine is; of a broken config too, as its containers' secrets must be known in any case."""
        if self.loaded is not None:
            return self.loaded.value.docker.host
        raw = self.documents[0] if self.documents else {}
        section = raw.get("docker") if isinstance(raw, dict) else None
        host = section.get("host") if isinstance(section, dict) else None
        return host if isinstance(host, str) and host.startswith(("unix://", "tcp://")) else None


def find(path: Path | None) -> Found:
    """Reads a config file, however broken it is. Blocks; raises nothing."""
    raw = _raw(path)
    named = list(secret_files_elsewhere(raw))
    try:
        loaded = load(path, Config)
    except ConfigError as error:
        return Found(path, None, [raw], named, str(error))
    return Found(path, loaded, [raw, plain(loaded.value)], [*named, *secret_files(loaded.value)])


def of(config: Config) -> Found:
    """The config that a running remediator has in force."""
    return Found(None, Loaded(config, None, ""), [plain(config)], secret_files(config))


def config_parts(found: Found) -> Sequence[Part]:
    async def effective() -> str:
        if found.loaded is None:
            raise ValueError(f"the config is broken: {found.problem}")
        loaded = found.loaded
        document = masked(plain(loaded.value), loaded.source.from_environment)
        origin = f"{loaded.path}, with the defaults" if loaded.path else "as it is in force"
        return f"# {origin!a}; sha256 {loaded.digest or 'unknown'}\n{dump(document)}"

    async def broken() -> dict[str, Any]:
        # Not the file: where it is broken, nothing tells which of its words are secret.
        return {"file": str(found.path), "problem": found.problem}

    return [Part("config/effective.yml", effective)] if not found.problem else [Part("config/problems.json", broken)]


def _raw(path: Path | None) -> Any:
    if path is None:
        return {}
    try:
        with path.open("rb") as file:
            return yaml.safe_load(file.read(MAX_BYTES))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return {}
