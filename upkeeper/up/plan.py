"""What the supervisor is to do, as upkeeper.up.supervise.program reads it. Pure."""

import json
import sys
from typing import Any

from remediator.endpoints import FILE as ENDPOINTS
from upkeeper.up import processes
from upkeeper.up.prepare import OUR_CODE, Prepared
from upkeeper.up.processes import ProcessSpec
from upkeeper.up.programs import ALERTMANAGER, PROMETHEUS


def plan(prepared: Prepared, lock: int) -> dict[str, Any]:
    """The document. The end is the other way round than the start: no alert is then sent to what is gone already.

    lock: the descriptor of the lock on the state directory.
    """
    layout, ports, options = prepared.layout, prepared.ports, prepared.options
    services = [
        make(layout, ports, prepared.config_path, verbose=options.verbose, log_format=options.log_format)
        for make in (processes.exporter, processes.remediator)
    ]
    programs = []
    if ALERTMANAGER in prepared.programs:
        programs.append(processes.alertmanager(layout, ports, prepared.programs[ALERTMANAGER]))
    if PROMETHEUS in prepared.programs:
        programs.append(processes.prometheus(layout, ports, prepared.programs[PROMETHEUS]))
    ours = {"PYTHONPATH": str(OUR_CODE)}
    return {
        # One arena for all threads: theirs would each keep what only the start needed.
        "services": {"argv": _ours("services"), "env": {**ours, "MALLOC_ARENA_MAX": "1"}, "of": _specs(services)},
        "programs": _specs(programs),
        "announce": [*_ours("announce"), json.dumps(prepared.document())],
        "rewrite": [*_ours("rewrite"), json.dumps(prepared.document())],
        "config": str(prepared.config_path.absolute()) if prepared.config_path is not None else None,
        "remove": [str(layout.state.root / ENDPOINTS)],
        "locks": [lock],
        "verbose": options.verbose,
        "log_format": options.log_format,
    }


def _specs(specs: list[ProcessSpec]) -> list[dict[str, Any]]:
    return [spec.document() for spec in specs]


def _ours(module: str) -> list[str]:
    # -P: not from the directory that `up` is called in, which may hold an `exporter` of somebody else's.
    path = f"import sys; sys.path.insert(0, {str(OUR_CODE)!r})"
    code = f"{path}; from upkeeper.up.{module} import main; main(sys.argv[1:])"
    return [sys.executable, "-P", "-c", code]
