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
    """native: the host's architecture. automatic: names of what ``apt-mark showauto`` lists."""
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
