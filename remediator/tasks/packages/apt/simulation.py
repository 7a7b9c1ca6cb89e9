"""What ``apt-get --simulate`` says it would do. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Inst openssl [3.0.11-1] (3.0.15-1 Debian:12.8/stable, Debian-Security:12/stable-security [amd64]) [libssl3:amd64 ]
# Inst linux-image-6.1.0-28-amd64 (6.1.119-1 Debian:12.8/stable [amd64])
_INSTALL = re.compile(r"Inst (\S+) (?:\[(\S+)\] )?\((\S+)(?: (.*?))? \[\w+\]\)")
# Remv libold [1.0-1]
_REMOVE = re.compile(r"(?:Remv|Purg) (\S+) \[(\S+)\]")
_KEPT_BACK = "The following packages have been kept back:"
_PHASED = "The following upgrades have been deferred due to phasing:"


@dataclass(frozen=True, slots=True)
class Install:
    """installed: empty where it is new."""

    name: str
    installed: str
    candidate: str
    origin: str


@dataclass(frozen=True, slots=True)
class Simulated:
    installs: Sequence[Install]
    removals: Sequence[tuple[str, str]]
    """Name and version."""
    kept_back: Sequence[str]
    """Held ones too."""
    phased: Sequence[str]
    """Only apt 2.7 and later tells them apart."""


def parse(text: str) -> Simulated:
    """Output of ``apt-get --quiet --simulate`` with any command, in English."""
    lines = text.splitlines()
    installs = [
        Install(found[1], found[2] or "", found[3], found[4] or "") for line in lines if (found := _INSTALL.match(line))
    ]
    removals = [(found[1], found[2]) for line in lines if (found := _REMOVE.match(line))]
    phased = list(_below(_PHASED, lines))
    return Simulated(installs, removals, [name for name in _below(_KEPT_BACK, lines) if name not in phased], phased)


def _below(heading: str, lines: Sequence[str]) -> Iterator[str]:
    """The words of the indented lines that follow a heading."""
    if heading not in lines:
        return
    for line in lines[lines.index(heading) + 1 :]:
        if not line.startswith(" "):
            return
        yield from line.split()


def complaint(text: str) -> str:
    """The first thing that apt or dpkg says went wrong, in one line, without its mark; empty for none."""
    lines = [line.rstrip() for line in text.splitlines()]
    found = []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("dpkg: error "):  # what it was is indented below
            more = f" {following.strip()}" if line.endswith(":") and following.startswith(" ") else ""
            found.append(line.removeprefix("dpkg: error ") + more)
        elif line.startswith("E: "):
            found.append(line.removeprefix("E: "))
    # What apt says of dpkg's end is only that it ended.
    telling = [line for line in found if "Sub-process /usr/bin/dpkg returned" not in line] or found
    return _CREDENTIALS.sub("://", telling[0])[:300] if telling else ""


_CREDENTIALS = re.compile(r"://[^\s/]*@")
_URI = re.compile(r"'[^']*' (\S+) (\d+)")
_OFFERED = re.compile(r" (?:\*\*\*|   ) (\S+) -?\d+")


def parse_uris(text: str) -> dict[str, int]:
    """Output of ``apt-get --print-uris``: bytes of what would have to be fetched, by package as ``name_version``."""
    return {
        found[1].rsplit("_", 1)[0].replace("%3a", ":"): int(found[2])
        for line in text.splitlines()
        if (found := _URI.match(line))
    }


def parse_offered(text: str) -> dict[str, set[str]]:
    """Output of ``apt-cache policy NAME...``: the versions that can be had or are installed, by name."""
    offered: dict[str, set[str]] = {}
    name = ""
    for line in text.splitlines():
        if not line.startswith(" "):
            name = line.removesuffix(":")
            offered[name] = set()
        elif found := _OFFERED.match(line):
            offered[name].add(found[1])
    return offered


def parse_sizes(text: str) -> dict[tuple[str, str], int]:
    """Output of ``apt-cache show``: installed bytes by name and version."""
    sizes: dict[tuple[str, str], int] = {}
    for entry in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in entry.splitlines() if ": " in line and not line.startswith(" "))
        if "Package" in fields and "Version" in fields and fields.get("Installed-Size", "").isdigit():
            sizes[fields["Package"], fields["Version"]] = int(fields["Installed-Size"]) * 1024
    return sizes
