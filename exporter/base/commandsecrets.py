"""Passwords in command lines, as logs, scripts and inspected containers have them. Pure.

What an option means depends on the program: `-p` is a password for sshpass, a port for psql and `docker run`.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from exporter.base.masking import HIDDEN, SHOWN, is_reference, secret_name

_PORTS = re.compile(r"[\d.\[\]-]+:[\d:.-]+(?:/\w+)?")

Cut = Callable[[str], str]
"""A value without what is secret in it."""


def _all(value: str) -> str:
    return HIDDEN


def _no_ports(value: str) -> str:
    """`docker run --name mongo -p 27017:27017` publishes a port."""
    return value if _PORTS.fullmatch(value) else HIDDEN


def _after(mark: str) -> Cut:
    def cut(value: str) -> str:
        name, found, secret = value.partition(mark)
        if not found or not secret.strip("\"'") or is_reference(secret):
            return value  # the program asks for it, or the shell puts it in
        return f"{name}{mark}{HIDDEN}"

    return cut


_USER = {"-u": _after(":"), "--user": _after(":"), "-U": _after(":"), "--proxy-user": _after(":"),
         "--oauth2-bearer": _all, "--pass": _all}  # fmt: skip
_P, _ATTACHED, _P_OF_MONGO = {"-p": _all}, {"-p+": _all}, {"-p": _no_ports, "--password": _all}
_PROGRAMS: Mapping[str, Mapping[str, Cut]] = {
    "curl": _USER, "http": {"-a": _after(":"), "--auth": _after(":")}, "sshpass": _P,
    "mongo": _P_OF_MONGO, "mongosh": _P_OF_MONGO, "mongodump": _P_OF_MONGO, "mongorestore": _P_OF_MONGO,
    "cypher-shell": _P,
    "docker login": _P, "podman login": _P, "nerdctl login": _P, "helm registry login": _P,
    "mysql": _ATTACHED, "mysqldump": _ATTACHED, "mysqladmin": _ATTACHED, "mysqlcheck": _ATTACHED,
    "mariadb": _ATTACHED, "mariadb-dump": _ATTACHED, "mariadb-admin": _ATTACHED, "7z": _ATTACHED, "7za": _ATTACHED,
    "redis-cli": {"-a": _all, "--pass": _all}, "valkey-cli": {"-a": _all, "--pass": _all},
    "ldapsearch": {"-w": _all}, "ldapadd": {"-w": _all}, "ldapmodify": {"-w": _all}, "ldapwhoami": {"-w": _all},
    "smbclient": {"-U": _after("%"), "--user": _after("%")}, "lftp": {"-u": _after(",")},
    "mosquitto_pub": {"-P": _all}, "mosquitto_sub": {"-P": _all}, "zip": {"-P": _all}, "unzip": {"-P": _all},
    "openssl": {"-passin": _after("pass:"), "-passout": _after("pass:"), "-pass": _after("pass:")},
}  # fmt: skip
"""By program, its options that hold a secret; ``-p+``: only written together, as else it asks for it."""

_BETWEEN = r"[\"']\s*+,\s*+[\"']"
"""Between two words of a list, as JSON and Python write it."""
_NAMES = "|".join(re.escape(name).replace(r"\ ", r"\s+") for name in sorted(_PROGRAMS, key=len, reverse=True))
_PROGRAM = re.compile(rf"(?<![\w.-])({_NAMES})(?:\.exe)?(?=\s|{_BETWEEN})")
_LINE = re.compile(r"(?:[^\r\n\\]++|\\(?:\r?\n|.)?)++")
"""With those that a backslash joins to it."""
_WORD = re.compile(
    rf"(?P<between>\\\r?\n|\s+|{_BETWEEN})|(?P<end>[;|&]+)"
    rf"|(?P<word>(?:{SHOWN}|(?!{_BETWEEN})(?:\"(?:\\.|[^\"\\])*+\"?|'[^']*+'?)|\\(?:[^\r\n]|$)|[^\s;|&\"'\\])++)",
    re.DOTALL,
)
_ENDS = ("password", "passwd", "passphrase", "pass", "pwd", "secret", "token", "apikey", "api-key", "access-key",
         "secret-key")  # fmt: skip
_LONG = re.compile(
    rf"(?i)(?<![\w-])(--?[a-z][\w-]*+)(?:{'|'.join(f'(?<={end})' for end in _ENDS)})(\s++|{_BETWEEN})"
    rf"({SHOWN}|\"(?:\\.|[^\"\\])*+\"?|'[^']*+'?|[^\s\"'<>\[(|,;-](?:{SHOWN}|[^\s\"'])*+)"
)
"""The value is not looked at where the name is none of a secret: it may be a command itself."""
_PROSE = frozenset({
    "a", "an", "and", "are", "argument", "as", "at", "be", "but", "by", "can", "cannot", "for", "flag", "from",
    "given", "has", "have", "if", "in", "instead", "into", "is", "isn", "it", "may", "must", "needs", "nor", "not",
    "of", "on", "only", "option", "or", "required", "requires", "should", "so", "takes", "that", "the", "then",
    "this", "to", "unless", "until", "used", "value", "was", "were", "when", "which", "will", "with", "without",
})  # fmt: skip
"""What follows an option where somebody writes about it."""
_BUNDLE = re.compile(r"-[A-Za-z]{2,6}")
_TAIL = re.compile(r"[\"'][\])}]*$")
_UNIT = "\x1f"


def without_command_secrets(text: str) -> str:
    """The text with the options of its command lines masked."""
    if _PROGRAM.search(text):
        text = _LINE.sub(lambda line: _line(line[0]), text)
    return _LONG.sub(_long, text)


def without_argument_secrets(arguments: Sequence[str]) -> list[str]:
    """The same for a command that is a list of words already."""
    clean = without_command_secrets(_UNIT.join(arguments)).split(_UNIT)
    return clean if len(clean) == len(arguments) else list(arguments)


def _long(option: re.Match[str]) -> str:
    name, between, value = option.groups()
    plain = value.strip("\"'").rstrip(".:,")
    if not secret_name(name.replace("-", "_")) or plain.lower() in _PROSE or is_reference(value):
        return option[0]
    return f"{name}{between}{_within(_all, value)}"


def _line(line: str) -> str:
    found = _PROGRAM.search(line)
    if found is None:
        return line
    parts, at, options, due = [line[: found.end()]], found.end(), _options(found[1]), None
    while (one := _WORD.match(line, at)) is not None:
        at = one.end()
        if one["word"] is None:
            due = None if one["end"] else due
            options = {} if one["end"] else options
            parts.append(one[0])
            continue
        word = one["word"]
        again = _PROGRAM.match(line, one.start()) or _PROGRAM.match(line, one.start() + word.rfind("/") + 1)
        if again is not None and due is None:
            options, at = _options(again[1]), again.end()
            parts.append(line[one.start() : at])
        elif due is not None:
            parts.append(_within(due, word))
            due = None
        elif word in options:
            due = options[word]
            parts.append(word)
        else:
            shown = _attached(word, options)
            due = _bundled(word, options) if shown == word else None
            parts.append(shown)
    return "".join(parts) + line[at:]


def _options(program: str) -> Mapping[str, Cut]:
    return _PROGRAMS[" ".join(program.split())]


def _attached(word: str, options: Mapping[str, Cut]) -> str:
    """A word that is the option and its value in one."""
    name, equals, value = word.partition("=")
    if word.startswith("--"):
        return f"{name}={_within(options[name], value)}" if equals and name in options else word
    for option, cut in options.items():
        short = option.removesuffix("+")
        if len(short) == 2 and word.startswith(short) and len(word) > 2:
            return f"{short}{_within(cut, word[2:])}"
    return word


def _bundled(word: str, options: Mapping[str, Cut]) -> Cut | None:
    """Of `-sSu`: what the value of its last option is to lose."""
    return options.get(f"-{word[-1]}") if _BUNDLE.fullmatch(word) else None


def _within(cut: Cut, value: str) -> str:
    """Quotes around it stay, and those that end what the whole command stands in."""
    tail = _TAIL.search(value)
    opening = value[:1] if value[:1] in ("'", '"') else ""
    inner = value[len(opening) : tail.start() if tail is not None and tail.start() > 0 else None]
    return value if is_reference(inner) else f"{opening}{cut(inner)}{value[len(opening) + len(inner) :]}"
