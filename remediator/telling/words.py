"""What messages say of what became of alerts. Pure; all that comes from alerts and programs is cleaned and cut here."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.base.listen import is_loopback_host
from exporter.base.redact import redacted
from exporter.base.spans import coarse
from exporter.base.text import counted, format_time
from exporter.base.units import format_bytes
from exporter.base.visible import visible
from remediator.model.evidence import Section
from remediator.model.story import Done, Ran, Story
from remediator.telling.news import News

LONGEST = 240
"""Characters of anything that stands in one line."""
SECTIONS, LINES = 2, 8
"""Kinds of evidence, and the last lines of each, that a message has; the run's page has all."""
LISTED = 15
"""Alerts that one message names."""
_LOOKED_AT = 8 * LONGEST
_BESIDE = frozenset({"processes", "alerts firing beside it"})
"""Evidence that is kept of each run, and says least of what was wrong."""
_SINCE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d+)? \+0000 UTC", re.ASCII)


@dataclass(frozen=True)
class Place:
    """host: what messages call this machine. console: where people reach it, if that is known."""

    host: str
    console: str | None = None


@dataclass(frozen=True)
class Message:
    """subject: one line. sentence: what became of it. facts, todo, links: each a name and a value. evidence: the last
    lines of each kind. good: nothing is left to be done. of_done: what the list of what was done is called.
    """

    subject: str
    sentence: str
    what: str
    facts: Sequence[tuple[str, str]]
    done: Sequence[str]
    evidence: Sequence[tuple[str, Sequence[str]]]
    todo: str
    links: Sequence[tuple[str, str]]
    good: bool
    of_done: str = "What was done"


def one_line(text: str, longest: int = LONGEST) -> str:
    """A line of it, without what is secret; what nobody sees is written out."""
    whole = visible(" ".join(redacted(text[:_LOOKED_AT]).split()))
    return whole if len(whole) <= longest else f"{whole[: longest - 1]}…"


def message(news: News, done: Done, place: Place) -> Message:
    """About one alert."""
    story, run = news.story, news.story.run
    sentence = _sentence(news, done)
    return Message(
        subject=f"{_title(story, place, ended=story.ends_at is not None)}: {_short(news)}",
        sentence=sentence,
        what=_what(story),
        facts=[(name, one_line(value)) for name, value in _facts(news, done, place)],
        done=[one_line(f"{what}: {became}") for what, became in done.actions]
        + ([f"and {done.count - len(done.actions)} more"] if done.count > len(done.actions) else []),
        evidence=_last_lines(done.evidence) if run is not None else (),
        todo=_todo(news),
        links=list(_links(news, place)),
        good=news.kind == "mended",
        of_done="What it would do" if news.kind == "waits" else "What was done",
    )


def together(all_news: Sequence[News], place: Place) -> Message:
    """About many at once: a line each, and of more than a screen only how many."""
    kinds = Counter(_short(one) for one in all_news)
    first = ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in kinds.most_common(3))
    count = counted(len(all_news), "alert")
    lines = [
        f"{_what(one.story, 110)}{_where(one.story, place)}: {one_line(_sentence(one, Done()), 160)}"
        for one in all_news[:LISTED]
    ]
    if len(all_news) > LISTED:
        lines.append(f"and {len(all_news) - LISTED} more")
    links = [("All alerts", f"{place.console}/console/alerts")] if place.console else []
    return Message(
        subject=one_line(f"[Upkeeper] {count} on {place.host}: {first}", 200),
        sentence=f"What became of {count}, which are told together as they came close to each other.",
        what="",
        facts=(),
        done=lines,
        evidence=(),
        todo="" if place.console else "`upkeeper alerts` and `upkeeper history` show each.",
        links=links,
        good=all(one.kind == "mended" for one in all_news),
        of_done="Each",
    )


def again(way: str, since: float, tries: int, reason: str, lost: int, place: Place) -> Message:
    """That messages did not go this way, since then, and do again. lost: alerts of which nothing was told therefore."""
    untold = f"what became of {counted(lost, 'alert')} was not told here" if lost else "nothing was missed"
    failed = f"{counted(tries, 'message')} by {way} failed (the last: {reason.rstrip('.')})"
    look = "see what it was about." if place.console else "`upkeeper alerts` and `upkeeper history` show what it was."
    return Message(
        subject=one_line(f"[Upkeeper] {place.host}: messages by {way} arrive again, {untold}", 200),
        sentence=one_line(f"Since {_moment(since)} {failed}, and {untold}.", 2 * LONGEST),
        what="",
        facts=(),
        done=(),
        evidence=(),
        todo=look if lost else "nothing; it is over.",
        links=[("All alerts", f"{place.console}/console/alerts")] if place.console else [],
        good=not lost,
    )


def text(one: Message) -> str:
    """The message as plain text."""
    parts = [one.sentence]
    if one.what:
        parts.append("\n".join([one.what, *(f"{name}: {value}" for name, value in one.facts)]))
    if one.done:
        parts.append("\n".join([f"{one.of_done}:", *(f"- {line}" for line in one.done)]))
    for name, lines in one.evidence:
        parts.append(
            "\n".join([f"Last lines of {name}, as it was when the run began:", *(f"  {line}" for line in lines)])
        )
    if one.todo:
        parts.append(f"What you can do: {one.todo}")
    if one.links:
        parts.append("\n".join(f"{name}: {link}" for name, link in one.links))
    return "\n\n".join(parts) + "\n"


def _what(story: Story, longest: int = LONGEST) -> str:
    said = (story.annotations.get("summary", ""), story.labels.get("alertname", ""))
    return next((line for text in said if (line := one_line(text, longest))), "an alert")


def _where(story: Story, place: Place) -> str:
    """As the templates of Alertmanager have it: where it is, by name where the address says nothing."""
    instance = story.labels.get("instance", "")
    if not instance:
        return ""
    host = re.sub(r":[0-9]+$", "", instance)
    return f" on {place.host if is_loopback_host(host.strip('[]')) else one_line(host, 80)}"


def _title(story: Story, place: Place, *, ended: bool) -> str:
    """The words with which Alertmanager's message about it begins, so that programs show the two beside each other."""
    severity = story.labels.get("severity", "")
    how = (f"resolved, was {severity}" if severity else "resolved") if ended else severity or "firing"
    return f"[{one_line(how, 40)}] {_what(story, 150)}{_where(story, place)}"


def _short(news: News) -> str:
    run, kind = news.story.run, news.kind
    task = one_line(run.task if run is not None else "", 63)
    return {
        "mended": f"{task} mended it",
        "helped": f"{task} helped, it still fires",
        "failed": f"{task} did not help",
        "waits": f"{task} waits for you",
        "blocked": "nothing is done",
        "ended": "ended without Upkeeper's help",
    }[kind]


def _sentence(news: News, done: Done) -> str:
    """What became of it, with its number."""
    story, run = news.story, news.story.run
    freed = f", and freed {format_bytes(done.freed_bytes)}" if done.freed_bytes > 0 else ""
    if run is None or (news.kind == "blocked" and (run.finished_at is None or news.at != run.finished_at)):
        return one_line(f"Upkeeper does nothing about it: {_why_not(story)}.")
    ran = f"{run.task} on {run.target} (run {run.id})"
    reason = run.reason.rstrip(".")
    if news.kind == "mended" and story.ends_at is not None and run.finished_at is not None:
        lasted = coarse(story.ends_at - story.starts_at)
        return one_line(f"{ran} mended it{freed}: {reason}. The alert ended {lasted} after it began.")
    if news.kind == "helped":
        return one_line(f"{ran} helped by its own measurement{freed}: {reason}. The alert still fires.")
    if news.kind == "waits":
        return one_line(f"{ran} has a plan and does nothing before you approve it: {counted(done.count, 'action')}.")
    if news.kind == "ended":
        return one_line(f"The alert has ended, and Upkeeper did not end it: {ran} was {run.outcome}: {reason}.")
    if news.kind == "blocked":
        return one_line(f"Upkeeper does nothing about it: {ran} was {run.outcome}: {reason}.")
    return one_line(f"{ran} did not help ({run.outcome}){freed}: {reason}.")


def _why_not(story: Story) -> str:
    decision = story.decision
    if decision is None:
        return "nothing was decided"
    by = f"guard {decision.guard}, " if decision.guard else ""
    return f"{decision.reason.rstrip('.')} ({by}{_moment(decision.at)})"


def _facts(news: News, done: Done, place: Place) -> Sequence[tuple[str, str]]:
    story, run = news.story, news.story.run
    found = []
    if where := _where(story, place):
        found.append(("Host", where.removeprefix(" on ")))
    found.append(("Since", _since(story)))
    if story.ends_at is not None:
        found.append(("Until", _moment(story.ends_at)))
    remedy = run.remedy if run is not None else story.decision.remedy if story.decision is not None else None
    if remedy:
        found.append(("Remedy", remedy))
    if run is not None:
        found.append(("Run", _span(run)))
    return found


def _since(story: Story) -> str:
    """When it was first seen to fail, as its rule says; one with a ``for:`` fires later than that."""
    said = _SINCE.fullmatch(story.annotations.get("since", ""))
    return f"{said[1]} UTC" if said is not None else _moment(story.starts_at)


def _span(run: Ran) -> str:
    begun = run.started_at if run.started_at is not None else run.requested_at
    if run.finished_at is None:
        return f"{run.id}, begun {_moment(begun)}"
    return f"{run.id}, begun {_moment(begun)}, took {coarse(run.finished_at - begun)}"


def _moment(at: float) -> str:
    return f"{format_time(at)[:10]} {format_time(at)[11:19]} UTC"


def _last_lines(evidence: Sequence[Section]) -> Sequence[tuple[str, Sequence[str]]]:
    kept = [one for one in evidence if one.lines and one.name not in _BESIDE][:SECTIONS]
    return [(one_line(one.name, 80), [one_line(line) for line in one.lines[-LINES:]]) for one in kept]


def _todo(news: News) -> str:
    story, run = news.story, news.story.run
    if news.kind == "mended":
        return "nothing; it is mended."
    if news.kind == "ended":
        return "see what ended it, if it was not you: it may come back." if run is not None else ""
    if news.kind == "waits" and run is not None:
        until = f" until {_moment(run.until)}" if run.until is not None else ""
        return f"`upkeeper approve {run.approval}` or `upkeeper deny {run.approval}`{until}."
    again = f" Upkeeper looks again at {_moment(story.due_at)}." if story.due_at is not None else ""
    if news.kind == "helped":
        return f"wait whether it ends.{again}"
    first = one_line(story.annotations.get("action", ""))
    return f"{first or 'look at it yourself.'}{again}"


def _links(news: News, place: Place) -> Sequence[tuple[str, str]]:
    story, run = news.story, news.story.run
    found = []
    if place.console:
        if run is not None and run.approval is not None and news.kind == "waits":
            found.append(("Approve or deny", f"{place.console}/console/approvals/{run.approval}"))
        if run is not None:
            found.append(("The run, with all its evidence", f"{place.console}/console/runs/{run.id}"))
        if re.fullmatch(r"[0-9a-f]{1,16}", story.fingerprint):
            found.append(("The alert", f"{place.console}/console/alerts/of/{story.fingerprint}"))
    elif run is not None:
        found.append(("The run, with its evidence", f"`upkeeper show {run.id}`"))
    for name, key in (("What to do", "runbook_url"), ("Dashboard", "dashboard_url")):
        if re.match(r"https?://[^\s<>\"'`]+\Z", story.annotations.get(key, "")):
            found.append((name, one_line(story.annotations[key], 500)))
    return found
