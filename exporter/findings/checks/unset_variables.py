"""Variables that a Compose file uses and nothing sets."""

from collections.abc import Iterator

from exporter.findings.finding import Finding, Group, Kind, Place, Severity
from exporter.findings.inputs import Inputs
from exporter.findings.interpolate import Use

_FEW = 10
"""Variables that are told one by one."""


class UnsetVariables:
    """Compose puts nothing in the place of such a variable, or rejects the file where it is required.

    What is only set in the shell of whoever starts Compose counts as unset: the next person's shell may not have it.
    """

    name = "unset-variables"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, inputs: Inputs) -> Iterator[Finding]:
        for project in inputs.projects:
            if project.variables_unread:
                continue
            seen: set[tuple[str, str, int | None]] = set()
            for variable in project.uses:
                use, place = variable.use, variable.place
                key = (use.name, place.file, place.line)
                if use.satisfied or use.kind not in ("plain", "required") or key in seen:
                    continue
                seen.add(key)
                yield _finding(use, place, place.file in project.env_files)


def _finding(use: Use, place: Place, in_env_file: bool) -> Finding:
    name = use.name
    required = use.kind == "required"
    severity: Severity = "warning"
    if use.needed and required:
        severity, what = "critical", "is required and not set, so Compose rejects the file"
    elif use.needed:
        what = "is not set and is replaced by nothing"
    elif required:
        what = "is required and not set; it is in an unused default, but Compose up to 2.40 rejects the file"
    else:
        severity, what = "info", "is not set; it is in an unused default, but Compose up to 2.40 warns about it"
    remedy = f"set {name} in the .env file"
    if in_env_file:
        remedy = f"put the value in single quotes, or write $$ for the dollar sign; if you meant a variable, set {name}"
    elif not required:
        remedy += f", or write ${{{name}:-}} if it may be empty"
    groups = (
        Group(f"{name} {what}, in {{places}} places"),
        Group(f"{{count}} variables, of which each {what}: {{names}}", few=_FEW),
    )
    return Finding("unset-variables", severity, name, place.printable(), f"{name} {what}", remedy, groups)
