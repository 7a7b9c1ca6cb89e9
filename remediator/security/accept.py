"""Which findings are accepted today. Pure."""

import fnmatch
from collections.abc import Sequence
from datetime import date

from remediator.config.security import AcceptedRisk
from remediator.security.finding import Accepted, Found, Review, Risk, worst_first


def review(found: Sequence[Found], accept: Sequence[AcceptedRisk], today: date) -> Review:
    """What the sources found, with the accepted findings apart. An acceptance holds through its last day."""
    open_, borne, expired = [], [], []
    for risk in worst_first([risk for one in found for risk in one.risks]):
        mine = [each for each in accept if fnmatch.fnmatchcase(risk.id, each.id)]
        held = [each for each in mine if today <= date.fromisoformat(each.until)]
        if held:
            last = max(held, key=lambda each: each.until)
            borne.append(Accepted(risk, last.reason, last.until))
            continue
        if mine:
            ended = max(each.until for each in mine)
            expired.append((risk.id, ended))
            risk = _back(risk, ended)
        open_.append(risk)
    return Review(
        open_,
        borne,
        expired,
        [text for one in found for text in one.unknown],
        [text for one in found for text in one.looked],
    )


def _back(risk: Risk, ended: str) -> Risk:
    message = f"{risk.message} (it was accepted until {ended})"
    return Risk(risk.id, risk.severity, risk.source, message, risk.remedy, risk.file, risk.line)
