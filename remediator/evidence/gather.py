"""Gathers evidence: all sources at once, each with a deadline and an error boundary of its own."""

import asyncio
import re
from collections.abc import Sequence

from exporter.base.redact import redacted
from exporter.base.text import printable
from remediator.model.evidence import Section, Source

DEADLINE = 5.0
"""Seconds for each source, and so for all."""
MAX_LINES = 80
MAX_LINE = 500
"""Characters; of a longer line the beginning is kept."""
LONGEST_LINE = 8 * 1024
"""Characters of a line that are looked at; what follows could not be shown."""
MAX_CHARACTERS = 16 * 1024
"""Of one section; of more, the end is kept, which is what happened last."""
MAX_SECTIONS = 12
_SPACE = re.compile(r"\s+")


async def gather(sources: Sequence[Source], deadline: float | None = None) -> list[Section]:
    """What each gave, in their order. Takes no longer than the deadline (seconds). Raises nothing but cancellation."""
    seconds = DEADLINE if deadline is None else deadline
    return list(await asyncio.gather(*(_ask(source, seconds) for source in sources[:MAX_SECTIONS])))


async def _ask(source: Source, deadline: float) -> Section:
    try:
        async with asyncio.timeout(deadline):
            lines = await source.gather()
    except TimeoutError:
        return Section(source.name, (), f"not known within {deadline:g} s")
    except Exception as error:  # noqa: BLE001  # whatever it is stands in the evidence, and the run goes on
        return Section(source.name, (), _clean(f"{type(error).__name__}: {error}"))
    # In a thread: the text may be long, and all that is known of secrets is looked for in it.
    return Section(source.name, await asyncio.to_thread(_bounded, lines))


def _bounded(lines: Sequence[str]) -> list[str]:
    # A secret may go over several lines, so that they are looked at together, and before anything is cut.
    clean = [_shortened(printable(line)) for line in redacted("\n".join(map(_readable, lines))).split("\n")]
    kept: list[str] = []
    room = MAX_CHARACTERS
    for line in reversed(clean):
        room -= len(line) + 1
        if room < 0 or len(kept) == MAX_LINES:
            kept.append(f"({len(clean) - len(kept)} lines before this are not kept)")
            break
        kept.append(line)
    return kept[::-1]


def _readable(line: str) -> str:
    """What of a line is looked at at all: no megabytes. A word that goes on after that is left out, as it may be a part
    of a secret.
    """
    if len(line) <= LONGEST_LINE:
        return line
    *whole, _ = _SPACE.split(line[:LONGEST_LINE])
    return f"{' '.join(whole)} (of {len(line)} characters)"


def _clean(text: str) -> str:
    return _shortened(printable(redacted(_readable(text))))


def _shortened(line: str) -> str:
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}..."
