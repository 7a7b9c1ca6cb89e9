"""Whether each `gate:` is PromQL, by promtool where it is installed, else by the Prometheus that would be asked.

A gate that cannot be parsed never opens: its remedy would be blocked whenever it is wanted.
"""

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from exporter.base import programs
from exporter.base.errors import UpkeeperError
from exporter.configfile.file import Loaded
from exporter.configfile.problem import Problem
from exporter.configfile.source import KeyPath
from remediator.config.config import Config
from remediator.peers.places import Peers
from remediator.peers.prometheus import Prometheus

SECONDS = 10.0
"""For each answer, of the program or of Prometheus."""
_WHERE = re.compile(r"^.*?could not parse expression: (?:\d+:\d+: )?(?:parse error: )?", re.DOTALL)
"""What promtool says before what is wrong: file, group and number of the rule, which are ours."""

Complaints = Mapping[str, str]
"""What is wrong with each query that is none."""


def gates(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Each query that a config itself names, with its key."""
    owners = [
        (("guards",), config.guards),
        *((("remedies", index), one) for index, one in enumerate(config.remedies or ())),
        *((("schedule", "jobs", index), one) for index, one in enumerate(config.schedule.jobs or ())),
    ]
    for key, owner in owners:
        if "gate" in owner.model_fields_set:
            yield from (((*key, "gate"), query) for query in owner.gate)


async def complaints(
    config: Config, state: Path, which: Callable[[str], str | None] = shutil.which
) -> tuple[Complaints, str]:
    """What is wrong with the queries of a config; and why they could not be looked at, where they could not.

    state: the directory where a stack that runs has left where its Prometheus is. which: as shutil.which.
    """
    queries = sorted({query for _, query in gates(config)})
    if not queries:
        return {}, ""
    promtool = which("promtool")
    try:
        if promtool is not None:
            return await _by_promtool(promtool, queries), ""
        async with Peers(lambda: config, state).prometheus(SECONDS) as prometheus:
            return await _by_prometheus(prometheus, queries), ""
    except (UpkeeperError, TimeoutError, OSError) as error:
        return (
            {},
            f"promtool {'gives no answer' if promtool else 'is not installed'}, and {error or 'it took too long'}",
        )


async def _by_prometheus(prometheus: Prometheus, queries: Sequence[str]) -> Complaints:
    found = await asyncio.gather(*map(prometheus.complaint, queries))
    return {query: said for query, said in zip(queries, found, strict=True) if said is not None}


async def _by_promtool(promtool: str, queries: Sequence[str]) -> Complaints:
    with tempfile.TemporaryDirectory(prefix="upkeeper-gates-") as directory:
        return {
            query: said
            for number, query in enumerate(queries)
            if (said := await _said(promtool, Path(directory) / f"{number}.yml", query)) is not None
        }


async def _said(promtool: str, file: Path, query: str) -> str | None:
    """What promtool says against a query, as the expression of a rule."""
    rule = {"groups": [{"name": "gate", "rules": [{"record": "gate", "expr": query}]}]}
    await asyncio.to_thread(file.write_text, json.dumps(rule))  # which is YAML as well, whatever the query has in it
    async with asyncio.timeout(SECONDS):
        done = await programs.run([promtool, "check", "rules", str(file)], polite=False)
    if done.status == 0:
        return None
    return " ".join(_WHERE.sub("", done.errors, count=1).split()) or f"promtool exits with {done.status}"


def gate_problems(loaded: Loaded[Config], wrong: Complaints, unknown: str) -> Iterator[Problem]:
    """Pure. unknown: why the queries could not be looked at."""
    for key, query in gates(loaded.value):
        problem = partial(loaded.problem, key, severity="warning")
        if query in wrong:
            yield problem(f"{query!r} is no PromQL, so this gate never opens: {wrong[query]}")
        elif unknown:
            yield problem(f"whether {query!r} is PromQL could not be looked at: {unknown}")
