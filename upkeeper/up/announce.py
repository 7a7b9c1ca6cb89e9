"""Says what is watched and where, once all is up. ``main`` runs in a process of its own that then ends."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

from exporter.discovery import discover
from exporter.docker.engine import DockerEngine
from remediator import endpoints
from remediator.endpoints import Endpoints
from upkeeper.screens.screen import Screen
from upkeeper.up.banner import BannerFacts, banner
from upkeeper.up.ports import url
from upkeeper.up.prepare import Prepared
from upkeeper.up.programs import ALERTMANAGER, PROMETHEUS

_DOCKER_SECONDS = 5.0


def main(arguments: Sequence[str]) -> None:
    """arguments: the document of Prepared."""
    asyncio.run(announce(Prepared.from_document(json.loads(arguments[0])), Screen(False)))


async def announce(prepared: Prepared, screen: Screen) -> None:
    """Writes down where everything is, and prints the banner."""
    where = _endpoints(prepared)
    try:
        endpoints.write(prepared.layout.state.root, where)
    except OSError as error:  # as on a full disk, where what runs is needed most
        screen.note(f"warning: commands will not find this stack by themselves: {error}")
    engine = DockerEngine(prepared.config.docker.host, _DOCKER_SECONDS)
    try:
        found = await discover(prepared.config, engine)
    finally:
        engine.close()
    facts = BannerFacts(
        config=prepared.config,
        config_path=prepared.config_path,
        example=Path(prepared.share) / "upkeeper.yml",
        state_dir=prepared.layout.state.root,
        endpoints=where,
        found=found,
        root=os.geteuid() == 0,
        command=prepared.command,
        options=prepared.command_options,
    )
    screen.lines([*banner(facts), *prepared.instructions()])


def _endpoints(prepared: Prepared) -> Endpoints:
    peers = prepared.config.prometheus, prepared.config.alertmanager
    prometheus, alertmanager = (peer.base_urls[0] if peer is not None else None for peer in peers)
    return Endpoints(
        exporter=url(prepared.ports.exporter),
        remediator=url(prepared.ports.remediator),
        prometheus=url(prepared.ports.prometheus) if PROMETHEUS in prepared.programs else prometheus,
        alertmanager=url(prepared.ports.alertmanager) if ALERTMANAGER in prepared.programs else alertmanager,
    )
