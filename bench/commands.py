"""Processor time of the commands that a person or a shell calls all day, beside the former build.

Each is a whole process, called in turns, on a state directory of that build without a remediator.
"""

import os
import resource
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from statistics import median

from bench.former import COMMIT, OURS, Build, former_build
from bench.processes import our_versions
from bench.report import Goal, Result

ROUNDS = 15
COMPLETE = {"_UPKEEPER_COMPLETE": "bash_complete", "COMP_WORDS": "upkeeper run log", "COMP_CWORD": "2"}
COMMANDS: dict[str, tuple[Sequence[str], dict[str, str]]] = {
    "--help": (["--help"], {}),
    "status": (["status"], {}),
    "history": (["history"], {}),
    "plan log-rotation": (["plan", "log-rotation", "upkeeper-drill"], {}),
    "completion": ([], COMPLETE),
}


def _seconds(build: Build, state: Path, arguments: Sequence[str], env: dict[str, str]) -> float:
    environment = {**os.environ, **build.env, **env, "UPKEEPER_STATE_DIR": str(state)}
    command = list(build.command)
    if "_UPKEEPER_COMPLETE" in env:
        # The completion belongs to a program called upkeeper.
        module = command[-1]
        command = [command[0], "-P", "-c", f"import sys; sys.argv[0] = 'upkeeper'; from {module} import main; main()"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1) or "Traceback" in done.stderr:
        raise RuntimeError(f"{build.name} {arguments} ended with {done.returncode}: {done.stderr[-500:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


async def run() -> AsyncIterator[Result]:
    """The median processor time of each command."""
    with tempfile.TemporaryDirectory(prefix="upkeeper-bench-") as directory, former_build(Path(directory)) as former:
        states = {build.name: Path(directory) / f"state-{build.name}" for build in (OURS, former)}
        for name, (arguments, env) in COMMANDS.items():
            times: dict[str, list[float]] = {OURS.name: [], former.name: []}
            for _ in range(ROUNDS + 1):
                for build in (OURS, former):
                    times[build.name].append(_seconds(build, states[build.name], arguments, env))
            ours, peer = (median(times[build.name][1:]) * 1000 for build in (OURS, former))
            yield Result(
                name=f"processor time of {name}",
                ours=ours,
                peer=peer,
                peer_name=f"the build of {COMMIT}",
                unit="ms",
                goal=Goal("ratio", "<=", 0.5),
                command="python -m bench commands",
                versions=our_versions(),
                notes=(f"median of {ROUNDS} whole processes of each in turns, after one that does not count",),
            )
