"""What config sections are made of: their base, and the kinds of value that need more than a type."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError


class Contradiction(NamedTuple):
    """What is wrong between keys that may each be right."""

    at: tuple[str | int, ...]
    """Path below the section to the key that is blamed."""
    message: str


class Section(BaseModel):
    """Base of every config section: immutable, and a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        """What is wrong between the section's keys. Pure.

        given: the keys as they were given, not validated: any of them may be missing or of a wrong type.
        """
        return iter(())

    def keeps_secret_in(self, key: str) -> bool:
        """Whether the other keys make a secret of a file that is public by its type. See configfile.named_files."""
        return False

    @model_validator(mode="wrap")
    @classmethod
    def _report_at_once(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Contradictions and the errors of single keys together, so that a person can fix all of them at once."""
        found = list(cls.contradictions(given)) if isinstance(given, Mapping) else []
        if not found:
            return handler(given)
        errors = [
            InitErrorDetails(type=PydanticCustomError("contradiction", message), loc=at, input=None)
            for at, message in found
        ]
        try:
            handler(given)
        except ValidationError as error:
            errors += [
                InitErrorDetails(
                    type=PydanticCustomError(each["type"], each["msg"], each.get("ctx")),
                    loc=each["loc"],
                    input=each["input"],
                )
                for each in error.errors(include_url=False)
            ]
        raise ValidationError.from_exception_data(cls.__name__, errors)


def shown(value: object) -> str:
    """A value as an error shows it: on one line, and not at any length."""
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "a mapping"
    text = str(value).lower() if isinstance(value, bool) else ascii(value)
    return text if len(text) <= 70 else f"{text[:67]}..."


def names_of(items: object, unnamed: str | None = None) -> list[str | None]:
    """The name of each item of a list that is not validated yet. unnamed: the name of an item that gives none."""
    return [
        item.get("name", unnamed) if isinstance(item, Mapping) else getattr(item, "name", None)
        for item in (items if isinstance(items, list | tuple) else ())
    ]


def repeated_names(key: str, items: object, unnamed: str | None = None) -> Iterator[Contradiction]:
    """Each item of the list under a key whose name an earlier one has. See names_of."""
    names = names_of(items, unnamed)
    for index, name in enumerate(names):
        if name is not None and name in names[:index]:
            yield Contradiction((key, index, "name"), f"the name {shown(name)} is used twice; names must be unique")


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"{shown(text)} must be a name: letters, digits, _ . -, first a letter or digit, 63 at most")
    return text


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"{shown(path)} must be an absolute path, one that begins with /")
    if "\0" in path:
        raise ValueError("a path must not contain a NUL byte")
    return path


def regex_search(pattern: str) -> Callable[[bytes], bool]:
    """Whether text, as UTF-8, holds a match. RE2 takes time linear in the text, whatever the pattern.

    Raises ValueError that says what is wrong with the pattern. Syntax: https://github.com/google/re2/wiki/Syntax
    """
    import re2

    options = re2.Options()
    options.log_errors = False  # else the library prints them to standard error as well
    try:
        compiled = re2.compile(pattern.encode(), options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace")
        raise ValueError(f"{shown(pattern)} must be a regular expression in RE2 syntax: {reason}") from None
    return lambda text: compiled.search(text) is not None


def _regex(pattern: str) -> str:
    regex_search(pattern)
    return pattern


def split_url(url: str, *schemes: str) -> SplitResult:
    """The parts of a URL of one of these schemes. Raises ValueError when it is none, or holds credentials."""
    if not url.isprintable() or " " in url:
        raise ValueError("a url must not contain spaces or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:  # not shown, as it may hold credentials
        raise ValueError("a url must have a host, and a number between 1 and 65535 if it has a port") from error
    if parts.username is not None or parts.password is not None:
        raise ValueError("a url must not contain credentials, which would appear in logs")
    if parts.scheme not in schemes or not parts.hostname:
        begin = " or ".join(f"{one}://" for one in schemes)
        raise ValueError(f"{shown_url(url)} must be a url that begins with {begin}")
    if port == 0:
        raise ValueError(f"{shown_url(url)} must have a port between 1 and 65535")
    return parts


def shown_url(url: str) -> str:
    """A URL as an error shows it: without its query, which may hold secrets."""
    head, mark, _ = url.partition("?")
    return shown(f"{head}?..." if mark else head)


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"{shown(text)} must be one line")
    return text


Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"})]
"""A name that an alert may select: starts with a letter or digit; letters, digits, ``_``, ``.``, ``-``; 63 at most."""

OneLine = Annotated[str, AfterValidator(_one_line)]
"""Text that people read, of characters that can be shown."""

AbsolutePath = Annotated[str, AfterValidator(_absolute), WithJsonSchema({"type": "string", "pattern": "^/"})]

Regex = Annotated[str, AfterValidator(_regex), WithJsonSchema({"type": "string", "format": "regex"})]
"""A regular expression in RE2 syntax."""
