"""What a Neo4j server is run with: its jars, fetched once by Maven into the user's cache, and a fitting Java."""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.helpers import missing, require_program

FETCH_SECONDS = 280.0


@dataclass(frozen=True)
class Release:
    """A version of Neo4j Community, with the Maven artifacts (group:artifact) that make it a server."""

    version: str
    artifacts: tuple[str, ...]
    java: range
    """Java versions that it runs on."""
    package: str
    """The Debian package that has one of them, or what to install where Debian has none."""
    compiler: bool = False
    """Whether it is started from source, which takes a whole JDK."""


FIVE = Release(
    version="5.26.19",
    artifacts=(
        "org.neo4j:neo4j",
        "org.neo4j.app:neo4j-server",
        "org.neo4j.procedure:apoc-core",
        "org.neo4j.procedure:apoc-common",
    ),
    java=range(17, 22),
    package="Debian package openjdk-17-jre-headless",
)
CALENDAR = Release(
    version="2026.09.0",
    artifacts=("org.neo4j:neo4j", "org.neo4j.app:neo4j-server"),
    java=range(21, 100),
    package="a JDK of version 21 or later, such as Temurin, below /usr/lib/jvm",
    compiler=True,
)

_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>upkeeper</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>{dependencies}</dependencies>
</project>
"""


def jars(release: Release) -> Path:
    """The directory of the release's jars. Skips the test (see tests.helpers.missing) if they cannot be had.

    A directory of that name is whole: the jars are fetched beside it and renamed, by one process at a time.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "upkeeper-tests"
    cache.mkdir(parents=True, exist_ok=True)
    wanted = cache / f"neo4j-{release.version}"
    if wanted.is_dir():
        return wanted
    maven = require_program("mvn", "maven")
    with _locked(cache / f".neo4j-{release.version}.lock"):
        if not wanted.is_dir():  # another process may have fetched them meanwhile
            _fetch(maven, release, wanted)
    return wanted


def _fetch(maven: str, release: Release, wanted: Path) -> None:
    scratch = Path(tempfile.mkdtemp(prefix=f".{wanted.name}-", dir=wanted.parent))
    try:
        pom = scratch / "pom.xml"
        pom.write_text(
            _POM.format(dependencies="".join(_dependency(each, release.version) for each in release.artifacts))
        )
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={scratch}/jars"]
        try:
            done = subprocess.run(
                [maven, "-q", "-B", "-f", pom, *goal],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False,
            )  # fmt: skip
            problem = f"exit status {done.returncode}: {(done.stdout + done.stderr)[-1000:]}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            problem = f"not done within {FETCH_SECONDS:g} s"
        if problem:
            missing(f"Maven could not fetch Neo4j {release.version}: {problem}")
        (scratch / "jars").rename(wanted)
    finally:
        shutil.rmtree(scratch)


def _dependency(artifact: str, version: str) -> str:
    group, name = artifact.split(":")
    parts = {"groupId": group, "artifactId": name, "version": version}
    return f"<dependency>{''.join(f'<{part}>{value}</{part}>' for part, value in parts.items())}</dependency>"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def java(release: Release) -> Path:
    """A ``java`` program that the release runs on. Skips the test if there is none."""
    for home in _homes():
        program, facts = home / "bin" / "java", home / "release"
        if not program.exists() or not facts.exists():
            continue
        text = facts.read_text()
        version = re.search(r'^JAVA_VERSION="(\d+)', text, re.MULTILINE)
        if version is None or int(version[1]) not in release.java:
            continue
        if not release.compiler or re.search(r"\bjdk\.compiler\b", text):
            return program
    missing(f"no Java for Neo4j {release.version} ({release.package})")
    raise AssertionError("unreachable")


def _homes() -> Sequence[Path]:
    homes = [Path(home)] if (home := os.environ.get("JAVA_HOME")) else []
    if (program := shutil.which("java")) is not None:
        homes.append(Path(program).resolve().parents[1])
    return [*homes, *sorted(Path("/usr/lib/jvm").glob("*"))]
