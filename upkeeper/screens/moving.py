"""A line that moves on a terminal while a run goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from exporter.base.visible import visible
from upkeeper.client.follow import Progress


@contextmanager
def moving_line(console: Console) -> Iterator[Callable[[str, Progress, str], None]]:
    """Shows a title, how far it has come, and that in words. The line is gone at the end."""
    spinner = Spinner("dots")
    with Live(console=console, transient=True, refresh_per_second=10) as live:

        def show(title: str, done: Progress, words: str) -> None:
            grid = Table.grid(padding=(0, 1))
            bar = ProgressBar(total=done.total or None, completed=done.ended, width=24, pulse=not done.total)
            grid.add_row(spinner, Text(visible(title), style="bold"), bar, Text(visible(words)))
            live.update(grid)

        yield show
