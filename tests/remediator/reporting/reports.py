"""A report with something in every part of it, and one with nothing."""

from dataclasses import replace

from remediator.reporting.report import (
    BackupStands,
    Change,
    DayDone,
    FillsUp,
    Open,
    RemedyStands,
    Report,
    State,
    TaskDone,
    Trouble,
)

NOW = 1_795_824_000.0
DAY = 86400.0


def full(text: str = "a text") -> Report:
    """text: stands wherever a text stands that somebody else may have written."""
    return Report(
        host=text,
        version="1.2.3",
        made_at=NOW,
        since=NOW - 7 * DAY,
        until=NOW,
        regular=True,
        done=[
            TaskDone(text, 12, 5, 3, 1, 1, 1, 1, 40, 3 * 2**30, 77.0),
            TaskDone("quiet", 1, 0, 1, 0, 0, 0, 0, 0, 0, 0.1),
        ],
        days=[DayDone(NOW - day * DAY, day, day % 2, 1, day * 10**9) for day in range(7, 0, -1)],
        troubles=[Trouble(text, text, "failed", 3, 77, NOW - 5, text)],
        open=[
            Open("alert", text, NOW - 3600, ""),
            Open("approval", text, NOW - 60, f"upkeeper approve {text}"),
            Open("problem", text),
        ],
        changes=[Change("image", text), Change("finding", f"new: {text}")],
        compared_with=NOW - 7 * DAY,
        fills_up=[
            FillsUp(text, 0.8, NOW + 9 * DAY, NOW + 20 * DAY, text),
            FillsUp("slow", 0.1, None, None, "", "not within 112 days"),
            FillsUp("young", 0.1, None, None, "", f"not foretold: {text}", foretold=False),
            FillsUp("open", 0.9, NOW + DAY, None),
        ],
        remedies=[
            RemedyStands(text, text, "approve", text, text, text),
            RemedyStands("quiet", "t", "auto", "no runs yet"),
        ],
        backups=[
            BackupStands(text, NOW - DAY, 7, 2**40, "restored", NOW - DAY),
            BackupStands("bare", NOW - DAY, 1, 10),
            BackupStands("gone", None, 0, 0, problem=text),
        ],
        alerts_begun=4,
        alerts_helped=3,
        verdicts={"run": 3},
        state=State("digest", {"web": text}, {text: text}),
        unknown=[text],
    )


def empty() -> Report:
    return replace(
        full(), host="host", done=[], days=[], troubles=[], open=[], changes=[], compared_with=None, fills_up=[],
        remedies=[], backups=[], alerts_begun=0, alerts_helped=0, verdicts={}, state=State(), unknown=[],
    )  # fmt: skip
