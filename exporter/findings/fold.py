"""Many findings of one kind as one line: a stack of 57 services without limits is one thing to do, not 57."""

from collections.abc import Iterable, Sequence

from exporter.findings.finding import Finding, Place

_NAMES = 3


def fold(findings: Iterable[Finding]) -> list[Finding]:
    """One line for each group of a project, in the order of what comes first in it. Pure."""
    lines: dict[object, list[Finding]] = {}
    wide: dict[object, set[object]] = {}
    of_wide: dict[object, object] = {}
    for finding in findings:
        at = (finding.check, finding.severity, finding.project)
        key: object = (at, finding.groups[0]) if finding.groups else (at, id(finding))
        lines.setdefault(key, []).append(finding)
        if len(finding.groups) > 1:
            of_wide[key] = (at, finding.groups[-1])
            wide.setdefault(of_wide[key], set()).add(key)
    joined: dict[object, list[Finding]] = {}
    for key, parts in lines.items():
        outer = of_wide.get(key)
        many = outer is not None and len(wide[outer]) > parts[0].groups[-1].few
        joined.setdefault(outer if many else key, []).extend(parts)
    return [_together(parts, len({part.groups[:1] for part in parts}) > 1) for parts in joined.values()]


def _together(parts: Sequence[Finding], widely: bool) -> Finding:
    """The line of several findings. widely: whether they are of several narrow groups."""
    first = parts[0]
    if len(parts) == 1:
        return first
    group = first.groups[-1 if widely else 0]
    names = list(dict.fromkeys(part.subject for part in parts))
    count = f"{len(names)} of {group.total}" if group.total else str(len(names))
    shown = ", ".join(names[:_NAMES]) + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")
    message = group.message.replace("{count}", count).replace("{places}", str(len(parts))).replace("{names}", shown)
    if len(names) == 1 and "{count}" in group.message:
        message = first.message
    return Finding(
        check=first.check,
        severity=first.severity,
        subject=first.subject if len(names) == 1 else first.project or first.place.file,
        place=first.place if len({part.place for part in parts}) == 1 else Place(first.place.file),
        message=message,
        remedy=first.remedy,
        groups=first.groups,
        project=first.project,
        parts=tuple(parts),
    )
