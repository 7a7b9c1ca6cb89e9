"""Shows the most important alerts firing and resolving on a real stack, each for its real cause, and how long it takes.

    .venv/bin/python -m scripts.show_alerts [--out FILE] [--boards FILE] [ALERT ...]

It starts `upkeeper up` with Prometheus and Alertmanager, a Docker engine, a PostgreSQL server, a small disk and a mail
server, all its own and below one temporary directory; needs root; takes a quarter of an hour. The exit status is 1 when
an alert did not come or did not go.
"""

import argparse
import asyncio
import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

import httpx
import yaml

from scripts import ask_boards
from scripts.show_alerts import causes
from scripts.show_alerts.machine import Machine, config, small_disk, web_service
from scripts.show_alerts.stack import Case, Stack
from tests.alertmanager.mailbox import Mailbox, served
from tests.dockerd import private_dockerd
from tests.postgres_server import private_postgres
from tests.upkeeper.up.running import Up


async def show(root: Path, only: Collection[str], boards: Path | None = None) -> Sequence[Case]:
    """The cases, all or of these alerts, each with what became of it. boards: where to write which queries of the
    dashboards gave data of this stack.
    """
    with contextlib.ExitStack() as stack, served(Mailbox(), login=False) as mailbox:
        docker = stack.enter_context(private_dockerd(root / "docker"))
        docker.run("n8n", "sleep 3600", healthcheck="test ! -e /bad")
        postgres = stack.enter_context(private_postgres())
        disk = stack.enter_context(small_disk(root))
        async with web_service() as (url, service), httpx.AsyncClient() as http:
            up, machine = Up(root), Machine(root, url, service, docker, postgres, disk)
            up.config.write_text(yaml.safe_dump(config(machine, mailbox, whole=boards is not None)))
            async with up.running():
                running = Stack(up, mailbox, http)
                groups = [*causes.at_once(machine, up.config), causes.at_last(running)]
                *at_once, last = ([one for one in group if not only or one.alert in only] for group in groups)
                await asyncio.sleep(30)  # what a start alone brings about is over
                await asyncio.gather(*(_one_by_one(running, group) for group in at_once))
                if boards is not None:
                    await _run_tasks(up)
                    ports = up.ports
                    prometheus, exporter = f"http://127.0.0.1:{ports.prometheus}", f"127.0.0.1:{ports.exporter}"
                    asked = ask_boards.table(await ask_boards.ask(http, prometheus, exporter))
                    await asyncio.to_thread(boards.write_text, asked)
                await _one_by_one(running, last)
                return [case for group in (*at_once, last) for case in group]


async def _run_tasks(up: Up) -> None:
    """So that there is a record of runs; each is scraped before the next, or it would not be seen to grow."""
    for task in (
        ("health-check", "all"),
        ("docker-cleanup", "docker"),
        ("log-rotation", "pa"),
        ("docker-cleanup", "docker"),
    ):
        arguments = ["run", *task, f"--state-dir={up.state}", f"--config={up.config}"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "upkeeper.main", *arguments, env=up.env, stdin=subprocess.DEVNULL
        )
        async with asyncio.timeout(120):
            await process.wait()
        await asyncio.sleep(20)


async def _one_by_one(stack: Stack, group: Sequence[Case]) -> None:
    for case in group:
        await stack.show(case)


def table(found: Sequence[Case]) -> str:
    """For a page of the docs; seconds since the cause, and since it was mended."""
    columns = ("fires", "mailed", "ends", "end mailed")
    lines = [
        "| alert | real cause | fires after | mailed after | mended, ends after | end mailed after |",
        "|---|---|---|---|---|---|",
    ]
    for case in found:
        times = " | ".join(f"{case.seconds[each]:.0f} s" if each in case.seconds else "-" for each in columns)
        lines.append(f"| `{case.alert}` | {case.cause}{f' ({case.problem})' if case.problem else ''} | {times} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.show_alerts", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the table there, too")
    parser.add_argument(
        "--boards", type=Path, help="write there which queries of the dashboards gave data of the stack"
    )
    parser.add_argument("only", nargs="*", metavar="ALERT", help="only these")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="alerts-", dir="/tmp"))
    try:
        found = asyncio.run(show(root, options.only, options.boards))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    text = table(found)
    print(text)
    if options.out:
        options.out.write_text(text)
    return 1 if any(case.problem for case in found) else 0


if __name__ == "__main__":
    sys.exit(main())
