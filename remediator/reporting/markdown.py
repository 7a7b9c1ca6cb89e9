"""A report as Markdown (CommonMark with GitHub's tables). What is put in is escaped: it stays text. Pure."""

import re
from collections.abc import Iterator, Sequence

from exporter.base.text import counted
from exporter.base.units import format_bytes
from exporter.base.visible import visible
from remediator.reporting.html import day, headline, moment
from remediator.reporting.report import NOT_KNOWN, FillsUp, Report

MEDIA_TYPE = "text/markdown; charset=utf-8"

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def render(report: Report) -> str:
    """The page."""
    return "\n".join(_lines(report)) + "\n"


def escaped(text: object) -> str:
    """Any text as one line that a reader of Markdown shows as it is."""
    return _SPECIAL.sub(r"\\\1", visible(" ".join(str(text).split())))


def code(text: str) -> str:
    """A command of ours, with names in it, between back ticks."""
    clean = visible(" ".join(text.split())).replace("|", "\\|")
    ticks = "`" * (max((len(run) for run in re.findall("`+", clean)), default=0) + 1)
    return f"{ticks} {clean} {ticks}" if "`" in clean else f"`{clean}`"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {escaped(report.host)}: maintenance report"
    yield ""
    yield f"{moment(report.since)} to {moment(report.until)} UTC, by Upkeeper {escaped(report.version)}"
    yield ""
    yield f"**{headline(report)}.**"
    yield from _open(report)
    yield from _done(report)
    yield from _proven(report)
    yield from _section("What will be full when")
    rows = [[escaped(one.name), _used(one), _full(one), escaped(one.error or "-")] for one in report.fills_up]
    yield from _table(["what", "used", "full", "how well that was foretold"], rows, "No forecast is known.")
    yield from _changed(report)
    yield from _section("Remedies")
    rows = [
        [escaped(part) for part in (one.name, one.autonomy, one.track, one.suggestion or "-")]
        for one in report.remedies
    ]
    none = NOT_KNOWN if "remedies" in report.unseen else "No remedy has had anything to do yet."
    yield from _table(["remedy", "may", "so far", "could be"], rows, none)
    if report.unknown:
        yield from _section("Not known")
        yield from (f"- {escaped(text)}" for text in report.unknown)


def _open(report: Report) -> Iterator[str]:
    yield from _section("Open")
    if "open" in report.unseen:
        yield NOT_KNOWN
    elif not report.open:
        yield "Nothing is open: no alert fires, and nothing waits for a person."
    for one in report.open:
        since = f" (since {moment(one.since)})" if one.since is not None else ""
        todo = f": {code(one.todo)}" if one.todo else ""
        yield f"- **{one.kind}** {escaped(one.what)}{since}{todo}"
    if report.troubles:
        yield from _section("Without success")
        rows = [
            [
                escaped(one.task),
                escaped(one.target),
                one.outcome,
                str(one.count),
                f"{escaped(one.reason)} {code(f'upkeeper show {one.last_run}')}",
            ]
            for one in report.troubles
        ]
        yield from _table(["task", "on", "outcome", "times", "last reason"], rows, "")
        if report.further_troubles:
            yield ""
            yield f"And {counted(report.further_troubles, 'further run')} without success."


def _done(report: Report) -> Iterator[str]:
    yield from _section("Done")
    yield f"{counted(report.alerts_begun, 'alert')} began; for {report.alerts_helped} of them a run helped."
    yield ""
    rows = [
        [
            escaped(one.task),
            *(str(count) for count in (one.runs, one.effective, one.nothing_to_do, one.failed + one.ineffective)),
            *(str(count) for count in (one.planned, one.actions)),
            format_bytes(one.freed_bytes) if one.freed_bytes else "-",
        ]
        for one in report.done
    ]
    titles = ["task", "runs", "effective", "nothing to do", "without success", "only planned", "actions", "freed"]
    yield from _table(titles, rows, "Nothing has run in this time.")


def _proven(report: Report) -> Iterator[str]:
    yield from _section("Proven")
    rows = [
        [
            escaped(one.name),
            escaped(one.problem) if one.problem else moment(one.newest_at),
            str(one.sets),
            format_bytes(one.bytes),
            f"{one.proof}, {day(one.proven_at)}" if one.proof else "nothing yet",
        ]
        for one in report.backups
    ]
    titles = ["backup", "newest set", "sets", "size", "proven"]
    none = NOT_KNOWN if "backups" in report.unseen else "No backup is in a directory of the config."
    yield from _table(titles, rows, none)


def _changed(report: Report) -> Iterator[str]:
    yield from _section("Changed since the last report")
    if report.compared_with is None:
        yield "There is no former report to compare with."
    elif not report.changes:
        yield "Nothing that is known of: config, images, findings, packages."
    else:
        yield f"Compared with {moment(report.compared_with)}."
    yield ""
    yield from (f"- {escaped(one.what)}" for one in report.changes)


def _used(one: FillsUp) -> str:
    return "-" if one.used_ratio is None else f"{one.used_ratio:.0%}"


def _full(one: FillsUp) -> str:
    if one.full_from is None:
        return escaped(one.says or "not within sight")
    return (
        f"{day(one.full_from)} to {day(one.full_until)}"
        if one.full_until is not None
        else f"{day(one.full_from)} or later"
    )


def _section(title: str) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> Iterator[str]:
    if not rows:
        yield empty
        return
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
