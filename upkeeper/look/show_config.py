"""The config in force, as a person or an editor wants it: with every default, without a secret. Pure."""

from typing import Any

from exporter.configfile.dialect import dump
from exporter.configfile.file import Loaded
from exporter.configfile.masked import masked, plain
from exporter.discovery import Discovery
from remediator.config.config import Config
from remediator.control.configuring import effective

SCHEMA_ID = "urn:upkeeper:config"


def schema() -> dict[str, Any]:
    """The JSON Schema of the config file, for editors and other tools.

    Any string in the file may also hold ``${NAME}``, which a schema cannot say of numbers.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **Config.model_json_schema(),
        "title": "upkeeper.yml",
    }


def render_effective(loaded: Loaded[Config], discovery: Discovery | None = None) -> str:
    """The config in force as YAML that loads again, and what was found on this machine as a comment below it.

    What came from the environment is shown as its reference; other secrets are left out, and then must be put in again.
    """
    origin = f"{loaded.path}, with the defaults" if loaded.path else "no file, all defaults"
    text = f"# Config in force: {ascii(origin)[1:-1]}\n{dump(effective(loaded))}"
    if discovery is None:
        return text
    comment = "".join(f"# {line}\n" for line in dump(discovered(discovery)).splitlines())
    return f"{text}\n# Found on this machine, without the config:\n{comment}"


def discovered(discovery: Discovery) -> dict[str, Any]:
    """What was found without the config, as a document."""
    docker = (
        {"version": discovery.docker_version} if discovery.docker_version else {"problem": discovery.docker_problem}
    )
    return {
        "filesystems": [
            {"mountpoint": each.mountpoint, "device": each.device, "fstype": each.fstype}
            for each in discovery.filesystems
        ],
        "docker": docker,
        "containers": [
            {"name": each.name, "state": each.state, "health": each.health} for each in discovery.containers
        ],
        "services": [masked(plain(each)) for each in discovery.services],
        "label_problems": dict(discovery.label_problems),
    }
