"""Whether the host waits for a reboot: what its package manager left behind, and the kernels that are installed."""

import re
from collections.abc import Iterable
from pathlib import Path

_MARKER = "run/reboot-required"
# Whatever writes the marker: without it, no marker means nothing. update-notifier-common and unattended-upgrades.
_WRITERS = ("usr/share/update-notifier/notify-reboot-required", "etc/kernel/postinst.d/unattended-upgrades")


def reboot_required(root: Path, running: str) -> bool | None:
    """Whether a reboot is needed; None where the host does not tell. Blocks.

    root: of the file system, for tests. running: release of the running kernel, as ``uname -r`` has it.
    """
    if (root / _MARKER).exists():
        return True
    newer = newer_kernel(running, installed_kernels(root / "boot"))
    if newer is None and any((root / writer).exists() for writer in _WRITERS):
        return False
    return newer


def installed_kernels(boot: Path) -> list[str]:
    """Releases of the kernels in ``/boot``, named ``vmlinuz-RELEASE`` as Debian, Ubuntu and Fedora do."""
    try:
        return [entry.name.removeprefix("vmlinuz-") for entry in boot.iterdir() if entry.name.startswith("vmlinuz-")]
    except OSError:
        return []


def newer_kernel(running: str, installed: Iterable[str]) -> bool | None:
    """Whether a newer kernel of the same flavour is installed than the running one. Pure.

    None when the running kernel is not among them: it came from elsewhere, as in a container or a microVM.
    """
    releases = list(installed)
    if running not in releases:
        return None
    return any(_flavour(release) == _flavour(running) and _order(release) > _order(running) for release in releases)


def _flavour(release: str) -> str:
    """A release without its numbers: kernels of another flavour, such as ``-cloud-amd64``, are not its successors.

    The first kernel of a minor release of Enterprise Linux ends in ``.el8``, those that follow it in ``.el8_4``.
    """
    return re.sub(r"[\d.]+(_[\d.]+)*", "#", re.sub("~[^-]*", "", release))


def _order(release: str) -> list[tuple[int, int, str]]:
    """What releases sort by, as rpm sorts them: part by part, a number after a word, a tilde before the end.

    So 4.18.0-553.el8_10 is before 4.18.0-553.5.1.el8_10.
    """
    ranks = {"~": (0, 0, ""), "": (1, 0, "")}
    parts = [*re.findall(r"\d+|[A-Za-z]+|~", release), ""]
    return [(3, int(part), "") if part.isdigit() else ranks.get(part, (2, 0, part)) for part in parts]
