"""What `upkeeper check` says of findings that `security.accept` accepts: too many, for too long, or none. Pure."""

import fnmatch
from collections.abc import Iterator
from datetime import date

from exporter.configfile.file import Loaded
from exporter.configfile.problem import Problem
from remediator.config.config import Config
from remediator.security.kinds import KINDS
from upkeeper.look.check_remedies import choice

LONGEST_DAYS = 366


def accepted_problems(loaded: Loaded[Config], today: date) -> Iterator[Problem]:
    """today: from which an end more than a year away is told."""
    for index, one in enumerate(loaded.value.security.accept):
        at = ("security", "accept", index)
        kind, colon, _ = one.id.partition(":")
        if all(fnmatch.fnmatchcase(f"{known}:", one.id) for known in KINDS):
            message = f"{one.id!r} accepts every finding, those too that come later, so the review finds nothing"
            yield loaded.problem((*at, "id"), message, "write the id of one finding, as the review names it", "warning")
        elif not any(fnmatch.fnmatchcase(known, kind) for known in KINDS):
            message = f"no finding has an id that begins with {kind!r}"
            yield loaded.problem((*at, "id"), message, choice(kind, KINDS), "warning")
        elif not colon and "*" not in one.id:
            message = f"{one.id!r} matches no finding: after the kind an id names what it is about"
            yield loaded.problem((*at, "id"), message, f"write `{kind}:...`, as the review names it", "warning")
        days = (date.fromisoformat(one.until) - today).days
        if days > LONGEST_DAYS:
            message = f"{one.until} is more than a year away: until then nobody is asked whether it is still borne"
            yield loaded.problem((*at, "until"), message, "write a day within a year", "warning")
