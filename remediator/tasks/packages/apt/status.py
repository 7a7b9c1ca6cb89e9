"""What dpkg says is installed, and in which state. Pure."""

from collections.abc import Collection

from remediator.tasks.packages.manager import Installed

FORMAT = r"${Package}\t${Architecture}\t${Version}\t${db:Status-Abbrev}\t${Installed-Size}\n"
"""Of ``dpkg-query --show --showformat``."""

_STATES = {
    "H": "half-installed",
    "U": "unpacked",
    "F": "half-configured",
    "W": "waiting for triggers",
    "t": "with triggers pending",
}


def parse(text: str, native: str, automatic: Collection[str] = ()) -> dict[str, Installed]:
    """native: the host's architecture. automatic: as ``parse_extended`` tells."""
    found: dict[str, Installed] = {}
    for line in text.splitlines():
        name, architecture, version, status, size = line.split("\t")
        if status[1] in "nc":  # not installed, or only its configuration files are
            continue
        key = name if architecture in (native, "all") else f"{name}:{architecture}"
        broken = "to be reinstalled" if status[2:3] == "R" else _STATES.get(status[1], "")
        found[key] = Installed(
            version,
            broken,
            held=status[0] == "h",
            automatic=key in automatic,
            bytes=int(size) * 1024 if size.isdigit() else 0,
        )
    return found


def parse_extended(text: str, native: str) -> set[str]:
    """Contents of apt's ``extended_states``: names of what was installed because another package needed it."""
    found = set()
    for entry in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in entry.splitlines() if ": " in line)
        if fields.get("Auto-Installed") == "1" and "Package" in fields:
            architecture = fields.get("Architecture", native)
            found.add(fields["Package"] + ("" if architecture in (native, "all") else f":{architecture}"))
    return found
