"""What messages to people say that only this machine knows: its name and its remedies. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from remediator.config.matchers import Matcher, parse_matchers
from remediator.config.remedies import Remedy


@dataclass(frozen=True)
class Local:
    """The name of this machine, the remedies in force in their order, and the console."""

    host: str = "this machine"
    remedies: Sequence[Remedy] = ()
    console: str | None = None
    """Where people reach the console, without a slash at the end; a loopback address is only on this machine."""


UNKNOWN = Local()


def local_template(local: Local, host: str | None) -> bytes:
    """The file local.tmpl of Alertmanager's templates. host: the name by the config, instead of the machine's own."""
    lines = [line for remedy in local.remedies if (line := _line(remedy))]
    remedies = "{{ else }}".join(lines) + "{{ end }}" * len(lines)
    return (
        "{{/* Written by `upkeeper up`; changes will be overwritten. */}}\n"
        f'{{{{ define "upkeeper.host" }}}}{{{{ {_literal(host or local.host)} }}}}{{{{ end }}}}\n'
        f'{{{{ define "upkeeper.remedy" }}}}{remedies}{{{{ end }}}}\n'
        f"{_page(local.console)}"
    ).encode()


def _page(console: str | None) -> str:
    """The link to what Upkeeper does about an alert: its fingerprint is all that a message needs to know for it."""
    if console is None:
        return '{{ define "upkeeper.does" }}{{ end }}\n{{ define "upkeeper.does.html" }}{{ end }}\n'
    here = re.match(r"https?://(127\.|localhost[:/]|\[::1\])", console + "/")
    on = ', on {{ template "upkeeper.host" . }} only' if here else ""
    says = f'What Upkeeper {{{{ if eq .Status "firing" }}}}does{{{{ else }}}}did{{{{ end }}}} about it{on}: '
    link = f"{{{{ {_literal(f'{console}/console/alerts/of/')} }}}}{{{{ .Fingerprint }}}}"
    # An address of loopback is none that a reader can follow.
    more = " (`console: {url: ...}` in upkeeper.yml makes it a link for all)" if here else ""
    html = f"{link}{more}" if here else f'<a href="{link}">{link}</a>'
    return (
        f'{{{{ define "upkeeper.does" }}}}{says}{link}{more}\n{{{{ end }}}}\n'
        f'{{{{ define "upkeeper.does.html" }}}}<p>{says}{html}</p>{{{{ end }}}}\n'
    )


def _line(remedy: Remedy) -> str:
    """A condition that is still open, and what it then prints; empty for a remedy that cannot be put into a template.

    A pattern that Go refuses would cost people the whole message, and in the names of groups it differs from RE2.
    """
    parsed = [matcher for text in remedy.match for matcher in parse_matchers(text)]
    if any(re.search(r"\(\?P?<", matcher.value) for matcher in parsed):
        return ""
    matchers = [_condition(matcher) for matcher in parsed]
    said = f"The remedy {remedy.name} matches. It {_does(remedy)}.\n"
    return f"{{{{ if and {' '.join(matchers)} }}}}{{{{ {_literal(said)} }}}}"


def _does(remedy: Remedy) -> str:
    """What the config lets it do by itself, and where to look."""
    if remedy.autonomy == "approve":
        return (
            f"plans {remedy.task} and does nothing before you approve that: `upkeeper approvals`, `upkeeper approve ID`"
        )
    does = f"runs {remedy.task}" if remedy.autonomy == "auto" else f"only records what {remedy.task} would do"
    return f"{does}: see `upkeeper history`"


def _condition(matcher: Matcher) -> str:
    """The matcher in the language of Go's templates. Regular expressions are Go's in both."""
    label, value = f"(index .Labels {_literal(matcher.name)})", matcher.value
    if matcher.op in ("=", "!="):
        return f"({'eq' if matcher.op == '=' else 'ne'} {label} {_literal(value)})"
    found = f"(match {_literal(f'^(?:{value})$')} {label})"
    return found if matcher.op == "=~" else f"(not {found})"


def _literal(text: str) -> str:
    """The text as a constant of a Go template: nothing in it is obeyed."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
