"""A Debian to update. Its archives, main and security, are on loopback, and hold what a test publishes."""

import hashlib
import http.server
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

ARCHITECTURE = "amd64"


@dataclass(frozen=True)
class Deb:
    """A package to build. files: contents by path; those below /etc are configuration files. scripts: shell by name."""

    name: str
    version: str
    fields: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    security: bool = False

    @property
    def file(self) -> str:
        return f"{self.name}_{self.version.replace(':', '%3a')}_{ARCHITECTURE}.deb"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Debian:
    """A root, in which programs run by chroot.

    base: a minimal Debian, left as it is. directory: where what is changed goes, and the archives.
    """

    def __init__(self, base: Path, directory: Path) -> None:
        self.root, self.archive = directory / "root", directory / "archive"
        self._published = 1_700_000_000
        for path in (self.root, self.archive / "pool", directory / "upper", directory / "work"):
            path.mkdir(parents=True)
        options = f"lowerdir={base},upperdir={directory / 'upper'},workdir={directory / 'work'}"
        mount = ["mount", "-t", "overlay", "overlay", "-o", options, self.root]
        self._is_mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        if not self._is_mounted:  # above another overlay, as in a container
            subprocess.run(["cp", "-a", f"{base}/.", self.root], check=True)
        handler = partial(_Quiet, directory=str(self.archive))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        lines = [f"deb [trusted=yes] {self.url} {suite} main" for suite in ("stable", "stable-security")]
        (self.root / "etc/apt/sources.list").write_text("\n".join(lines) + "\n")
        (self.root / "etc/apt/apt.conf.d/test").write_text(
            'Acquire::http::Proxy "DIRECT";\nAPT::Get::Never-Include-Phased-Updates "true";\n'
            'DPkg::Options:: "--force-unsafe-io";\nAPT::Sandbox::User "root";\nAcquire::Languages "none";\n'
            'Acquire::Retries "0";\n'
        )
        self.publish()

    def close(self) -> None:
        self.disconnect()
        if self._is_mounted:
            subprocess.run(["umount", "-l", self.root], check=True)

    def disconnect(self) -> None:
        """From here on nobody answers at the address of the archives."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def run(self, *command: str, check: bool = True, text: str | None = None) -> str:
        """What a program in it prints."""
        done = subprocess.run(
            ["chroot", self.root, *command],
            input=text or "", capture_output=True, text=True, check=False,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def version(self, name: str) -> str:
        """The installed version; empty where it is not, with its state where that is not that of an installed one."""
        words = self.run("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Version}", name, check=False).split()
        if not words or words[0] in ("un", "rc"):
            return ""
        return words[1] if words[0] in ("ii", "hi") else f"{words[1]} ({words[0]})"

    def install(self, *debs: Deb, automatic: bool = False) -> None:
        """As if they had been installed long ago."""
        paths = [self.root / "var/cache" / deb.file for deb in debs]
        for deb, path in zip(debs, paths, strict=True):
            build(deb, path)
        self.run("dpkg", "--force-unsafe-io", "-i", *(f"/var/cache/{path.name}" for path in paths))
        for path in paths:
            path.unlink()
        if automatic:
            self.run("apt-mark", "auto", *(deb.name for deb in debs))

    def publish(self, *debs: Deb, refresh: bool = True) -> None:
        """Makes these, and no others, what the archives have."""
        for deb in debs:
            build(deb, self.archive / "pool" / deb.file)
        self._suite("stable", "Debian", [deb for deb in debs if not deb.security])
        self._suite("stable-security", "Debian-Security", [deb for deb in debs if deb.security])
        if refresh:
            self.run("apt-get", "update", "-q")

    def _suite(self, suite: str, label: str, debs: Sequence[Deb]) -> None:
        directory = self.archive / "dists" / suite / "main" / f"binary-{ARCHITECTURE}"
        directory.mkdir(parents=True, exist_ok=True)
        text = "".join(self._entry(deb) for deb in debs)
        (directory / "Packages").write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        release = self.archive / "dists" / suite / "Release"
        release.write_text(
            f"Origin: Debian\nLabel: {label}\nSuite: {suite}\nCodename: {suite}\nVersion: 12.8\n"
            f"Date: Sat, 09 Nov 2024 09:00:00 UTC\nArchitectures: {ARCHITECTURE}\nComponents: main\n"
            f"SHA256:\n {digest} {len(text)} main/binary-{ARCHITECTURE}/Packages\n"
        )
        self._published += 1  # apt asks for what is newer to the second
        os.utime(release, (self._published, self._published))

    def _entry(self, deb: Deb) -> str:
        content = (self.archive / "pool" / deb.file).read_bytes()
        facts = {"Filename": f"pool/{deb.file}", "Size": len(content), "SHA256": hashlib.sha256(content).hexdigest()}
        return _control(deb, facts) + "\n"


def _control(deb: Deb, more: Mapping[str, object]) -> str:
    fields = {
        "Package": deb.name,
        "Version": deb.version,
        "Architecture": ARCHITECTURE,
        "Maintainer": "nobody <nobody@example.org>",
        "Installed-Size": "100",
        **deb.fields,
        **more,
        "Description": "a test",
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def build(deb: Deb, path: Path) -> None:
    """Makes the package."""
    tree = path.with_suffix(".tree")
    control = tree / "DEBIAN"
    control.mkdir(parents=True)
    (control / "control").write_text(_control(deb, {}))
    for name, content in deb.files.items():
        file = tree / name.removeprefix("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    conffiles = [name for name in deb.files if name.startswith("/etc/")]
    if conffiles:
        (control / "conffiles").write_text("".join(f"{name}\n" for name in conffiles))
    for name, script in deb.scripts.items():
        (control / name).write_text(f"#!/bin/sh\n{script}\n")
        (control / name).chmod(0o755)
    done = subprocess.run(
        ["dpkg-deb", "-Znone", "--root-owner-group", "-b", tree, path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    subprocess.run(["rm", "-r", tree], check=True)
