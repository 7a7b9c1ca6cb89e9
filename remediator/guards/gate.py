"""Queries to Prometheus of which each must return something, right before a run.

A query returns something when its instant vector holds a sample that is a number, whatever number: ``x == 0`` answers
with 0 where it holds. NaN is no number: 0/0 says nothing. A scalar is no answer, as it always has a value. Everything
else closes the gate: an empty result, an error, no answer in time, and data that may be old.
"""

import asyncio
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from exporter.base.errors import UpkeeperError
from exporter.base.text import counted
from exporter.base.units import format_duration
from remediator.guards.guard import Case, Facts, Guard, Sources, Subject
from remediator.model.hold import Hold
from remediator.peers.http import PeerError
from remediator.peers.prometheus import Prometheus, Sample

AGAIN = 60.0
"""Seconds after which a closed gate is looked at again: Prometheus announces nothing by itself."""
SECONDS = 10.0
"""For the answer to a query."""
OLDEST = 120.0
"""Seconds since Prometheus's last scrape of anything after which what it says may be history: for 5 minutes it answers
with what it saw last, as it does after a stop of its own.
"""
SKEW = 60.0
"""Seconds by which its clock may differ from ours."""
LAST_SCRAPE = "max(timestamp(up))"


@dataclass(frozen=True)
class Answer:
    """What a query returned: how many samples, and how many of them are numbers. at: on Prometheus's clock."""

    at: float
    samples: int
    numbers: int


@dataclass(frozen=True)
class Answers(Facts):
    """The answers by query, or why there is none. scraped_at: when Prometheus last scraped anything; None: unknown."""

    answers: Mapping[str, Answer | str] = field(default_factory=dict)
    scraped_at: float | None = None

    @classmethod
    async def gather(cls, subjects: Collection[Subject], sources: Sources, now: float) -> Mapping[Subject, Self]:
        queries = sorted({query for subject in subjects for query in subject.settings.gate})
        facts = await cls._asked(queries, sources) if queries else cls()
        return dict.fromkeys(subjects, facts)

    @classmethod
    async def _asked(cls, queries: Sequence[str], sources: Sources) -> Self:
        if sources.peers is None:
            return cls(dict.fromkeys(queries, "no Prometheus can be asked"))
        try:
            async with sources.peers.prometheus(SECONDS) as prometheus:
                away = sources.peers.away(prometheus.url)
                if away is not None:  # alerts that wait for their decision do not wait for it once more
                    return cls(dict.fromkeys(queries, away))
                scraped, *answers = await asyncio.gather(*(_ask(prometheus, each) for each in (LAST_SCRAPE, *queries)))
        except UpkeeperError as error:
            return cls(dict.fromkeys(queries, str(error)))
        if isinstance(scraped, PeerError):
            if scraped.status is None:
                sources.peers.note_away(prometheus.url, str(scraped))
            return cls(dict.fromkeys(queries, str(scraped)))
        found = {
            query: str(each) if isinstance(each, PeerError) else _answer(each)
            for query, each in zip(queries, answers, strict=True)
        }
        return cls(found, scraped[0].value if scraped else None)


async def _ask(prometheus: Prometheus, query: str) -> Sequence[Sample] | PeerError:
    """The samples of an instant vector, or why there are none."""
    try:
        return await prometheus.instant(query)
    except PeerError as error:
        return error


def _answer(samples: Sequence[Sample]) -> Answer:
    numbers = sum(not math.isnan(sample.value) for sample in samples)
    return Answer(samples[0].at if samples else 0.0, len(samples), numbers)


def blocks(facts: Answers, case: Case) -> Hold | None:
    for query in case.settings.gate:
        reason = _closed(facts.answers.get(query, "it was not asked"), facts.scraped_at, case.now)
        if reason is not None:
            return Hold(f"{_short(query)}: {reason}", case.now + AGAIN)
    return None


def _closed(answer: Answer | str, scraped_at: float | None, now: float) -> str | None:
    """Why an answer does not open the gate."""
    if isinstance(answer, str):
        return answer
    if not answer.samples:
        return "it returns nothing"
    if not answer.numbers:
        return f"it returns no number, but NaN for {counted(answer.samples, 'series', 'series')}"
    if abs(answer.at - now) > SKEW:
        return f"Prometheus's clock and ours differ by {format_duration(round(abs(answer.at - now)))}"
    if scraped_at is None:
        return "whether its data is current cannot be told: Prometheus has scraped nothing lately"
    if answer.at - scraped_at > OLDEST:
        return f"its data is old: Prometheus last scraped anything {format_duration(round(answer.at - scraped_at))} ago"
    return None


def _short(query: str) -> str:
    line = " ".join(query.split())
    return line if len(line) <= 80 else f"{line[:77]}..."


def says(facts: Answers, case: Case) -> str:
    if not case.settings.gate:
        return "no query has to return anything"
    answers = [(query, facts.answers[query]) for query in case.settings.gate]
    return "; ".join(
        f"{_short(query)}: {counted(answer.numbers, 'number')}"
        for query, answer in answers
        if isinstance(answer, Answer)
    )


GATE = Guard("gate", Answers, blocks, says)
