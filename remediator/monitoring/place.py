"""What Upkeeper may write for a Prometheus and an Alertmanager of a person's, and where. Only looks.

Files of its own beside his are written, his never. What belongs into a file of his is written beside it, to be copied.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from remediator.monitoring import alertmanager as am
from remediator.monitoring import prometheus as prom
from remediator.monitoring.fastyaml import parse
from remediator.monitoring.owned import Change, look, marked
from remediator.monitoring.parts import routes, scrape_jobs, text
from remediator.monitoring.rules import PREFIX, Links, rules_with_links
from remediator.peers.http import is_loopback

BESIDE = ".upkeeper"
"""Ends the name of a file whose content a person copies into the one beside it: no pattern of a config matches it."""
RULES_DIRECTORY = "upkeeper-rules"
"""Beside a prometheus.yml that names no directory of rules."""
SCRAPE = "write-scrape-jobs"
SCRAPE_FILE = "upkeeper.yml"
_GLOB = frozenset("*?[")


@dataclass(frozen=True)
class Wanted:
    """Files to write for one purpose. reloads: Prometheus then has to read its config again."""

    kind: str
    object: str
    reason: str
    changes: Sequence[Change]
    reloads: bool = False


@dataclass(frozen=True)
class Lines:
    """What a person copies into ``into``, a path or what to call the file; empty where nothing is to be copied."""

    into: str
    content: bytes


@dataclass(frozen=True)
class Places:
    """All that is wanted. by_hand: what no file can do, a sentence each."""

    wanted: Sequence[Wanted]
    lines: Sequence[Lines]
    by_hand: Sequence[str]


def for_prometheus(
    seen: prom.Seen, share: Path, ports: Mapping[str, int], links: Links, alertmanager: str | None
) -> Places:
    """ports: by job. alertmanager: host:port of the one to post to, where it is known. Blocks. Raises OSError."""
    config = _config_here(seen)
    needed = _needed(seen, share, ports, alertmanager)
    wanted: list[Wanted] = []
    by_hand: list[str] = []
    if config is not None:
        if not seen.compared.current:
            directory, named = _rules_directory(seen, config.parent)
            if not named:
                needed["rule_files"] = [f"{directory}/*.yml"]
            wanted += _rules(seen, share, directory, links, by_hand)
        if "scrape_configs" in needed and (own := _scrape_directory(seen)) is not None:
            jobs = {"scrape_configs": needed.pop("scrape_configs")}
            wanted += _one(SCRAPE, own / SCRAPE_FILE, text(jobs), "Prometheus reads each file there", True)
    elif not seen.compared.current:
        by_hand.append(
            f"Prometheus's files are not on this machine: copy {share}/prometheus/rules/*.yml to where they are."
        )
    lines = []
    if needed:
        into = str(config or seen.config_file or "prometheus.yml")
        lines.append(Lines(into, text(needed, f"Add to {into}, under the keys that it has already.")))
        wanted += _beside(config, lines[0].content)
    return Places(wanted, lines, by_hand)


def for_alertmanager(seen: am.Seen, share: Path, port: int, token: Path, known: Sequence[str]) -> Places:
    """port: of the remediator. known: config files that upkeeper.yml names. Blocks. Raises OSError."""
    if all(seen.ours[kind] for kind in am.KINDS) and seen.watchdog:
        return Places([], [], [])
    here = next((Path(path) for path in known if is_loopback(seen.url) and _routed_alike(Path(path), seen)), None)
    into = str(here or "alertmanager.yml")
    above = (
        f"Add to {into}: the routes before the others under `route:`, the receiver to the others.",
        "It must be able to read credentials_file: give it a copy that only its user can read.",
    )
    lines = Lines(into, text(routes(share, port, token), *above))
    return Places(_beside(here, lines.content), [lines], [])


def _needed(seen: prom.Seen, share: Path, ports: Mapping[str, int], alertmanager: str | None) -> dict[str, Any]:
    """What its config lacks."""
    scraped = {(target.job, target.port) for target in seen.targets}
    found: dict[str, Any] = {}
    jobs = [
        job
        for job in scrape_jobs(share, ports)["scrape_configs"]
        if (job["job_name"], ports[job["job_name"]]) not in scraped
    ]
    if jobs:
        found["scrape_configs"] = jobs
    if not prom.names_alertmanager(seen.document) and alertmanager is not None:
        found["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    return found


def _config_here(seen: prom.Seen) -> Path | None:
    """Its config file, where that is on this machine: it listens here, and the file says what it does."""
    path = Path(seen.config_file)
    if not is_loopback(seen.url) or not path.is_absolute():
        return None
    document = _yaml(path)
    return path if document is not None and _shape(document, path) == _shape(seen.document, path) else None


def _shape(document: Mapping[str, Any], path: Path) -> object:
    try:
        jobs = [job["job_name"] for job in document.get("scrape_configs") or ()]
        return jobs, [str(path.parent / one) for one in document.get("rule_files") or ()]
    except (AttributeError, KeyError, TypeError):
        return None


def _routed_alike(path: Path, seen: am.Seen) -> bool:
    document, its = _yaml(path), parse(seen.config_text)
    try:
        return document is not None and [one["name"] for one in document["receivers"]] == [
            one["name"] for one in its["receivers"]
        ]
    except (AttributeError, KeyError, TypeError):
        return False


def _yaml(path: Path) -> Mapping[str, Any] | None:
    try:
        found = parse(path.read_bytes())
    except (OSError, yaml.YAMLError):
        return None
    return found if isinstance(found, Mapping) else None


def _rules_directory(seen: prom.Seen, beside: Path) -> tuple[Path, bool]:
    """Where rule files of ours go, and whether Prometheus reads that directory already."""
    read = list(_directories(seen.document.get("rule_files") or (), f"{PREFIX}x.yml", beside))
    holding = {str(Path(file).parent) for files in seen.compared.holders.values() for file in files}
    for directory in sorted(read, key=lambda one: str(one) not in holding):
        return directory, True
    return beside / RULES_DIRECTORY, False


def _scrape_directory(seen: prom.Seen) -> Path | None:
    base = Path(seen.config_file).parent
    return next(iter(_directories(seen.document.get("scrape_config_files") or (), SCRAPE_FILE, base)), None)


def _directories(patterns: Sequence[object], name: str, base: Path) -> Iterator[Path]:
    """The directories of patterns that a file of this name matches, and one beside another file does not."""
    for pattern in patterns:
        path = base / str(pattern)
        if not _GLOB & set(str(path.parent)) and fnmatch(name, path.name) and not fnmatch(name + BESIDE, path.name):
            yield path.parent


def _rules(seen: prom.Seen, share: Path, directory: Path, links: Links, by_hand: list[str]) -> Iterator[Wanted]:
    """The files of ours in the directory, as they ship; beside a person's, where he has put alerts of ours into it."""
    files = {path.name: path.read_bytes() for path in sorted((share / "prometheus" / "rules").glob("*.yml"))}
    changes: list[Change] = []
    copied: list[Change] = []
    for name, content in rules_with_links(files, links).items():
        path, written = directory / f"{PREFIX}{name}", marked(content)
        foreign = [Path(one) for one in seen.compared.holders.get(name, ()) if look(Path(one)).whose == "theirs"]
        for his in foreign:
            if look(his).content == content:
                continue
            copied += _change(his.with_name(his.name + BESIDE), written)
            by_hand.append(f"{his} holds rules of another version and is yours: put {his.name}{BESIDE} in its place.")
        if foreign:
            # A second copy would only have each alert fire twice.
            if look(path).whose == "ours":
                changes.append(Change(path, None, look(path).digest))
        elif look(path).whose == "theirs":
            copied += _change(path.with_name(path.name + BESIDE), written)
            by_hand.append(f"{path} was changed and is yours: put {path.name}{BESIDE} in its place.")
        else:
            changes += _change(path, written)
    changes += [
        Change(path, None, seen_there.digest)
        for path in sorted(directory.glob(f"{PREFIX}*.yml"))
        if directory.is_dir()
        if path.name.removeprefix(PREFIX) not in files and (seen_there := look(path)).whose == "ours"
    ]
    if changes:
        yield Wanted("write-rules", str(directory), "alert rules are missing or of another version", changes, True)
    if copied:
        yield Wanted("write-beside", str(copied[0].path.parent), "rule files there are a person's", copied)


def _beside(config: Path | None, content: bytes) -> list[Wanted]:
    if config is None:
        return []
    reason = f"{config.name} is a person's: the lines to add, beside it"
    return list(_one("write-beside", config.with_name(config.name + BESIDE), content, reason, False))


def _one(kind: str, path: Path, content: bytes, reason: str, reloads: bool) -> Iterator[Wanted]:
    changes = _change(path, marked(content))
    if changes:
        yield Wanted(kind, str(path), reason, changes, reloads)


def _change(path: Path, content: bytes) -> list[Change]:
    """Nothing where it is so already, or where a person's file is in the way."""
    seen = look(path)
    return [] if seen.whose == "theirs" or seen.content == content else [Change(path, content, seen.digest)]


def not_writable(changes: Sequence[Change]) -> Path | None:
    """The first directory that this user cannot write to; one that is to be made counts by the one above it."""
    for change in changes:
        directory = change.path.parent
        if not os.access(directory if directory.exists() else directory.parent, os.W_OK | os.X_OK):
            return directory
    return None
