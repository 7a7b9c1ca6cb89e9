"""Run as ``python -I -S -c ... FD``: reads the plan from the descriptor and supervises until SIGTERM or SIGINT.

The plan is JSON:

- ``services``: ``{"argv": [...], "env": {...}, "of": [process, ...]}``: ours, forked from one starter (see services.py)
- ``programs``: ``[process, ...]``: the others; a process is
  ``{"name", "argv", "ready", "log": path or null, "stop_within": seconds, "env": {...}}``
- ``announce``, ``rewrite``: arguments of the helper that speaks once all are ready, and of the one that takes over a
  changed config and prints ``{name: whether its files changed}``; null where there is none
- ``config``: the config file to watch, or null
- ``remove``: files to remove at the end
- ``locks``: descriptors that hold locks for as long as this program runs
- ``verbose``: whether the processes' logs are shown too
- ``log_format``: see say.use_format
"""

import json
import os
import sys

from upkeeper.up.supervise.say import complain, say, use_format
from upkeeper.up.supervise.supervisor import StartError, Supervisor


def main(descriptor: int) -> int:
    """Supervises. Returns 0 when all ended as they were told to, else 1."""
    with os.fdopen(descriptor, "rb") as file:
        plan = json.loads(file.read())
    use_format(plan["log_format"])
    for lock in plan["locks"]:
        os.set_inheritable(lock, False)
    supervisor = Supervisor(plan)
    failed = False
    try:
        if supervisor.start():
            supervisor.keep()
    except StartError as error:
        failed = True
        complain(str(error), *error.tail)
    except OSError as error:
        failed = True
        complain(f"cannot start: {error}")
    finally:
        say("info", "stopping")
        clean = supervisor.stop()
        for path in plan["remove"]:
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
            except OSError as error:
                say("warning", "file not removed", path=path, error=str(error))
    return 1 if failed or not clean else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
