"""A message as HTML, by Jinja2, which escapes all that is put in."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from remediator.telling.words import Message


def render(message: Message) -> str:
    """The page. It needs nothing from elsewhere, and has no script."""
    return _environment().get_template("outcome.html").render(message=message)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("remediator.telling"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
