"""A text of the config that holds matchers."""

from typing import Annotated

from pydantic import AfterValidator

from remediator.config.matchers import parse_matchers


def _matchers_parse(text: str) -> str:
    if not parse_matchers(text):
        raise ValueError("it holds no matcher, so it would match every alert")
    return text


MatcherText = Annotated[str, AfterValidator(_matchers_parse)]
"""One or more matchers in Alertmanager's syntax, as in ``alertname="X"`` or ``{a="b", c=~"d.*"}``."""
