r"""Alertmanager's matcher syntax: ``alertname="X"``, ``{severity=~"a|b", team!=""}``, ``"look me up"="x"``.

Alertmanager has two parsers. The classic one takes names of ``[a-zA-Z_:][a-zA-Z0-9_:]*`` only and is lenient: each
brace is optional by itself, an unquoted value reaches to the next comma, a backslash that escapes nothing stands for
itself. The UTF-8 one (since 0.27) is strict: names may be quoted too, quoted text has Go's escapes, and unquoted text
holds no space, comma, brace, quote, backslash, backtick or operator character. By default Alertmanager runs both and
takes the classic parser's word where it accepts the text, else the UTF-8 one's. So does this.
Before 0.27 there was the classic parser only; what only the other one takes, such an Alertmanager refuses.
Regular expressions are RE2's own; Alertmanager uses its twin in Go. What is left between the two: RE2 refuses a class
name in small letters (``\p{greek}``, Go 1.25 and later) and a pattern too large, and lets a group be named ``é``.

Sources: matcher/parse, matcher/compat/parse.go and pkg/labels of https://github.com/prometheus/alertmanager, and
https://pkg.go.dev/strconv#Unquote for the escapes.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

Op = Literal["=", "!=", "=~", "!~"]

_REGEX_MEMORY = 8 << 20
"""Bytes a compiled regular expression may take, its match-time cache included; RE2 refuses a larger one."""

# Go's unicode.IsSpace, and what \s means in Go's regular expressions: Python's own notions of space differ.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
_ASCII_SPACE = "\t\n\f\r "
_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_OP = r"=~|!=|!~|="


class MatcherError(ValueError):
    """A text is no matcher. str() is one line: what is wrong, at which column (from 1), and what would be right."""

    def __init__(self, problem: str, column: int | None = None) -> None:
        super().__init__(problem if column is None else f"column {column}: {problem}")
        self.problem = problem
        self.column = column


class _BadRegex(MatcherError):
    """The syntax is right; the regular expression in it is not."""


@dataclass(frozen=True)
class Matcher:
    """One condition on one label. Raises MatcherError when its regular expression is not RE2's or is too large.

    A regular expression must match the whole value. A label that is missing counts as empty.
    """

    name: str
    op: Op
    value: str
    _regex: Any = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.op in ("=~", "!~"):
            object.__setattr__(self, "_regex", _compile(self.value))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy the condition."""
        value = labels.get(self.name, "")
        if self._regex is None:
            return (value == self.value) is (self.op == "=")
        found = self._regex.search(value.encode("utf-8", "surrogatepass")) is not None
        return found is (self.op == "=~")

    def begins_with(self, prefix: str) -> bool:
        """Whether every value that matches begins with the prefix; False where that cannot be told."""
        if self.op == "=":
            return self.value.startswith(prefix)
        if self.op != "=~":
            return False
        start = prefix.encode()
        # Some bytes more than the prefix, since the upper end is cut off and rounded up.
        bounds = self._regex.possiblematchrange(len(start) + 8)
        return all(bound.startswith(start) for bound in bounds)

    def __str__(self) -> str:
        """The canonical text: parsing it gives this matcher again."""
        name = self.name if re.fullmatch(_NAME, self.name) else _quote(self.name)
        return f"{name}{self.op}{_quote(self.value)}"


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """The matchers of a text, in its order; none for an empty text or ``{}``, which match everything.

    Raises MatcherError.
    """
    surrogate = re.search("[\ud800-\udfff]", text)
    if surrogate:
        raise MatcherError("half of a surrogate pair; the text must be valid Unicode", surrogate.start() + 1)
    try:
        return _parse_classic(text)
    except MatcherError as error:
        classic = error
    try:
        return _parse_utf8(text)
    except MatcherError as error:
        # The UTF-8 parser names the better place, unless the syntax was good enough for the classic one.
        raise (classic if isinstance(classic, _BadRegex) else error) from None


def matches_all(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether the labels satisfy every matcher."""
    return all(matcher.matches(labels) for matcher in matchers)


def whole_match(pattern: str) -> Callable[[str], bool]:
    """Whether a whole text matches the regular expression, as in ``=~``. Raises MatcherError when it is not RE2's."""
    regex = _compile(pattern)
    return lambda text: regex.search(text.encode("utf-8", "surrogatepass")) is not None


_ESCAPES_OF_REGEX = re.compile(r"\\Q.*?(?:\\E|\Z)|\\(?P<escape>.)", re.DOTALL)


def _compile(pattern: str) -> Any:
    if any(found["escape"] == "C" for found in _ESCAPES_OF_REGEX.finditer(pattern)):
        # RE2 itself knows \C, any byte; Go's version of it, which Alertmanager uses, does not.
        raise _BadRegex("not a regular expression of RE2 (invalid escape sequence: \\C)")
    import re2  # hardly any remedy needs it

    options = re2.Options()
    options.max_mem = _REGEX_MEMORY
    options.log_errors = False
    try:
        # Anchored as Alertmanager does it, so that even an unbalanced "a)|(b" means what it means there.
        return re2.compile(f"^(?:{pattern})$", options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        shown = " ".join(reason.replace("^(?:", "", 1).removesuffix(")$").split())
        raise _BadRegex(f"not a regular expression of RE2 ({shown})") from None


def _quote(text: str) -> str:
    """Both parsers read these three escapes, and take every other character in quotes as it is."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _matcher(name: str, op: str, value: str, column: int) -> Matcher:
    try:
        return Matcher(name, cast(Op, op), value)
    except _BadRegex as error:
        raise _BadRegex(error.problem, column) from None


# --- the classic parser

_CLASSIC_MATCHER = re.compile(rf"[{_ASCII_SPACE}]*({_NAME})[{_ASCII_SPACE}]*({_OP})(.*)", re.DOTALL)
_CLASSIC_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_CLASSIC_UNQUOTED = re.compile(r'((?!")(?:[^"\\]|\\.)*\\?)', re.DOTALL)


def _parse_classic(text: str) -> tuple[Matcher, ...]:
    body = text.removeprefix("{")
    offset = len(text) - len(body)
    return tuple(_classic_matcher(part, offset + start) for start, part in _classic_parts(body.removesuffix("}")))


def _classic_parts(body: str) -> Iterator[tuple[int, str]]:
    """Splits at commas outside of quotes; only the last part may be blank. Yields offset and text."""
    quoted = escaped = False
    start = 0
    for position, character in enumerate(body):
        if character == ",":
            # Not even a comma ends an escape: a quirk that decides whether a quote after it counts.
            if not quoted:
                yield start, body[start:position]
                start = position + 1
        elif character == '"':
            quoted = quoted is escaped
            escaped = False
        else:
            escaped = character == "\\" and not escaped
    rest = body[start:].strip(_SPACE)
    if rest:
        yield body.index(rest, start), rest


def _classic_matcher(part: str, offset: int) -> Matcher:
    shape = _CLASSIC_MATCHER.fullmatch(part)
    if not shape:
        raise MatcherError('a matcher looks like name="value"', offset + 1)
    raw = shape[3].strip(_ASCII_SPACE)
    value = _CLASSIC_QUOTED.fullmatch(raw) or _CLASSIC_UNQUOTED.fullmatch(raw)
    column = offset + shape.start(3) + 1
    if not value:
        raise MatcherError('a double quote inside a value is written \\"', column)
    unescaped = re.sub(r'\\(["\\n])', lambda escape: "\n" if escape[1] == "n" else escape[1], value[1])
    return _matcher(shape[1], shape[2], unescaped, column)


# --- the UTF-8 parser


class _Token(NamedTuple):
    kind: Literal["{", "}", ",", "operator", "text", "end"]
    text: str
    column: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else ascii(self.text[:32])


_TOKEN = re.compile(
    rf'(?P<punctuation>[{{}},])|(?P<operator>{_OP})|"(?P<quoted>(?:[^"\\]|\\.)*)"'
    rf"|(?P<unquoted>[^{_SPACE}{{}}!=~,\\\"'`]+)|(?P<space>[{_SPACE}]+)",
    re.DOTALL,
)


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        column = position + 1
        if not found:
            raise MatcherError(_why_no_token(text[position]), column)
        position = found.end()
        match found.lastgroup:
            case "punctuation":
                yield _Token(cast(Literal["{", "}", ","], found[0]), found[0], column)
            case "operator":
                yield _Token("operator", found[0], column)
            case "quoted":
                yield _Token("text", _unquote(found["quoted"], column), column)
            case "unquoted":
                yield _Token("text", found[0], column)
    yield _Token("end", "", len(text) + 1)


def _why_no_token(character: str) -> str:
    if character == '"':
        return "this double quote is never closed"
    if character == "!":
        return "expected != or !~ here"
    return f"{character!a} must stand in double quotes"


def _parse_utf8(text: str) -> tuple[Matcher, ...]:
    tokens = _tokens(text)
    token = next(tokens)
    closing = "end"
    if token.kind == "{":
        closing = "}"
        token = next(tokens)
    matchers = []
    while token.kind != closing:
        name = _expect(token, "text", "a label name")
        operator = _expect(next(tokens), "operator", "an operator (=, !=, =~ or !~)")
        value = _expect(next(tokens), "text", 'a value ("" for the empty one)')
        matchers.append(_matcher(name.text, operator.text, value.text, value.column))
        token = next(tokens)
        if token.kind == ",":
            token = next(tokens)
        else:
            _expect(token, closing, "a comma or a closing brace" if closing == "}" else "a comma or the end")
    if closing == "}":
        _expect(next(tokens), "end", "nothing after the closing brace")
    return tuple(matchers)


def _expect(token: _Token, kind: str, what: str) -> _Token:
    if token.kind != kind:
        raise MatcherError(f"expected {what}, found {token}", token.column)
    return token


_ESCAPE = re.compile(
    rb'\\(?:(?P<letter>[abfnrtv\\"])|x(?P<hex>[0-9a-fA-F]{2})|(?P<octal>[0-3][0-7]{2})'
    rb"|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|)"
)
_LETTERS = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def _unquote(body: str, column: int) -> str:
    """The text between two double quotes. ``\\x`` and octal escapes are bytes; together they must be UTF-8."""
    if "\n" in body:
        raise MatcherError("a line feed in quotes is written \\n", column)
    try:
        return _ESCAPE.sub(_unescape, body.encode()).decode()
    except UnicodeError:
        raise MatcherError("the escapes in this text do not make valid UTF-8", column) from None
    except ValueError:
        raise MatcherError("unknown escape in this text; a backslash is written \\\\", column) from None


def _unescape(escape: re.Match[bytes]) -> bytes:
    match escape.lastgroup:
        case "letter":
            return _LETTERS.get(escape["letter"], escape["letter"])
        case "hex":
            return bytes([int(escape["hex"], 16)])
        case "octal":
            return bytes([int(escape["octal"], 8)])
        case "u" | "U" as size:
            return chr(int(escape[size], 16)).encode()
    raise ValueError("unknown escape")
