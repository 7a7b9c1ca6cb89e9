"""The ``upkeeper`` console script. What is asked all day is answered without the command line's libraries."""

import atexit
import gc
import os
import sys

_SERVICES = frozenset({"up", "exporter", "remediator"})
_FEW_COLLECTIONS = 500_000
"""Objects between two collections of garbage: the imports of a command make many, and hardly any garbage."""


def main() -> None:
    """Does what the arguments say, and exits."""
    arguments = sys.argv[1:]
    # Else pydantic reads the metadata of every installed package, in search of plugins.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    if "_UPKEEPER_COMPLETE" in os.environ:
        from upkeeper.quick.completion import complete

        if complete(os.environ):
            return
    if arguments in (["--help"], ["-h"]):
        from upkeeper.quick.help import show

        if show():
            return
    if _SERVICES.isdisjoint(arguments[:1]):
        gc.set_threshold(_FEW_COLLECTIONS)
        _run_quickly()
        return
    # structlog and httpx import rich, 3 MB, for terminals; aiohttp and SQLAlchemy greenlet, for other event loops.
    unwanted = {"exporter": ("rich", "greenlet"), "remediator": ("rich",)}.get(arguments[0], ())
    if unwanted:
        from exporter.base.memory import leave_out

        leave_out(*unwanted)
    _run()


def _run() -> None:
    from upkeeper.cli import cli

    cli.main()


def _run_quickly() -> None:
    """Ends the process without taking it apart object by object, which takes an eighth of a command's time."""
    status: list[object] = []

    def end() -> None:
        if not status:
            return
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):
            return  # the interpreter tells of it
        os._exit(status[0] if isinstance(status[0], int) else int(status[0] is not None))

    atexit.register(end)  # registered first, it comes last
    try:
        _run()
    except SystemExit as ended:
        if not isinstance(ended.code, str):
            status.append(ended.code)
        raise


if __name__ == "__main__":
    main()
