"""apt in a root of its own, with archives on disk: what is installed and what can be, as a test says."""

import hashlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from exporter.packages.apt import Apt
from tests.helpers import require_program

ARCHITECTURE = "amd64"


class AptRoot:
    """A root with ``main`` and ``security`` archives, named as Debian's are."""

    def __init__(self, directory: Path) -> None:
        require_program("apt-get", "apt")
        self.root = directory / "root"
        self.archive = directory / "archive"
        for path in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/trusted.gpg.d"):
            (self.root / path).mkdir(parents=True)
        for path in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"):
            (self.root / path).mkdir(parents=True)
        self.status = self.root / "var/lib/dpkg/status"
        self.lists = self.root / "var/lib/apt/lists"
        lines = [f"deb [trusted=yes] file:{self.archive} {suite} main" for suite in ("stable", "stable-security")]
        (self.root / "etc/apt/sources.list").write_text("\n".join(lines) + "\n")
        self.installed({})
        self.published({}, {})

    @property
    def options(self) -> Sequence[str]:
        """For each call of apt, so that it sees this root and nothing of the machine's own."""
        settings = {
            "Dir": self.root,
            "Dir::State::status": self.status,
            "APT::Architecture": ARCHITECTURE,
            "APT::Architectures": ARCHITECTURE,
            "APT::Get::Never-Include-Phased-Updates": "true",  # else apt decides by the machine that it is on
            "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
        }
        return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]

    def apt(self) -> Apt:
        """Upkeeper's apt, in this root."""
        return Apt(self.options, self.lists, self.status, self.root / "no-stamp")

    def installed(self, versions: Mapping[str, str], held: Sequence[str] = ()) -> None:
        """Makes these the installed packages, by version."""
        entries = [
            f"Package: {name}\nStatus: {'hold' if name in held else 'install'} ok installed\nPriority: optional\n"
            f"Section: misc\nMaintainer: nobody <nobody@example.org>\nArchitecture: {ARCHITECTURE}\n"
            f"Version: {version}\nDescription: a test\n"
            for name, version in versions.items()
        ]
        self.status.write_text("\n".join(entries))

    def published(self, main: Mapping[str, str], security: Mapping[str, str]) -> None:
        """Publishes these packages, by version, with more fields after a ``|``, and refreshes the lists."""
        self._suite("stable", "Debian", main)
        self._suite("stable-security", "Debian-Security", security)
        done = subprocess.run(["apt-get", *self.options, "update"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def _suite(self, suite: str, label: str, packages: Mapping[str, str]) -> None:
        directory = self.archive / "dists" / suite / "main" / f"binary-{ARCHITECTURE}"
        directory.mkdir(parents=True, exist_ok=True)
        text = ""
        for name, value in packages.items():
            version, _, more = value.partition("|")
            text += "\n".join(
                [
                    f"Package: {name}",
                    f"Architecture: {ARCHITECTURE}",
                    f"Version: {version}",
                    "Maintainer: nobody <nobody@example.org>",
                    f"Filename: pool/{name}_{version}.deb",
                    "Size: 1000",
                    f"SHA256: {hashlib.sha256(value.encode()).hexdigest()}",
                    *([more] if more else []),
                    "Description: a test",
                    "\n",
                ]
            )
        (directory / "Packages").write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        (self.archive / "dists" / suite / "Release").write_text(
            f"Origin: Debian\nLabel: {label}\nSuite: {suite}\nCodename: {suite}\nVersion: 12.8\n"
            f"Date: Sat, 09 Nov 2024 09:00:00 UTC\nArchitectures: {ARCHITECTURE}\nComponents: main\n"
            f"SHA256:\n {digest} {len(text)} main/binary-{ARCHITECTURE}/Packages\n"
        )
