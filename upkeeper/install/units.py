"""The files for systemd: two units, the user of one, and the directories of both. Pure.

What each directive does: systemd.exec(5), systemd.service(5). Directives of systemd 252 and before only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

USER = "upkeeper"
"""As whom the exporter runs."""
EXPORTER, REMEDIATOR = "upkeeper-exporter.service", "upkeeper-remediator.service"

_SERVICE = """\
Type=notify
NotifyAccess=main
{user}
# More arguments, as ARGS="--listen 10.0.0.5:{port}".
EnvironmentFile=-/etc/default/{name}
ExecStart={program} {command} --state-dir /var/lib/upkeeper $ARGS
ExecReload=/bin/kill -HUP $MAINPID
# Of a service that hangs, the journal gets the stacks of its threads.
Environment=PYTHONFAULTHANDLER=1
LimitCORE=0
# It beats from its event loop.
WatchdogSec={watchdog}
# For ever: a mistake in the config, or a port in use, may be mended meanwhile.
Restart=always
RestartSec=5s
KillMode=mixed
TimeoutStopSec=90s
"""

_BOTH = """\
NoNewPrivileges=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
"""

_EXPORTER = """\
# It may read what it is to measure, whoever owns it, and write nothing but its cache.
AmbientCapabilities=CAP_DAC_READ_SEARCH
CapabilityBoundingSet=CAP_DAC_READ_SEARCH
ProtectSystem=strict
ProtectHome=read-only
CacheDirectory=upkeeper-exporter
CacheDirectoryMode=0700
Environment=XDG_CACHE_HOME=/var/cache/upkeeper-exporter
# What is mounted, and how, is told of the machine, not of this service's own view of it.
Environment=UPKEEPER_MOUNTINFO=/proc/1/mountinfo
UMask=0077
KeyringMode=private
RemoveIPC=yes
DevicePolicy=closed
MemoryDenyWriteExecute=yes
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallFilter=setpriority ioprio_set sched_setaffinity
"""

_REMEDIATOR = """\
# What its tasks need of root: DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, CHOWN, FSETID, SETFCAP for the files of others
# that it rotates, backs up and brings back as they were; SETUID, SETGID, KILL for servers of restore tests, which run
# as somebody else; SYS_PTRACE to see which program has a port or a file open; SYS_RESOURCE for the blocks that a full
# file system keeps for root.
CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_CHOWN CAP_FSETID CAP_SETFCAP
CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_KILL CAP_SYS_PTRACE CAP_SYS_RESOURCE
# /usr, /boot and /etc are not its business; where the files are that it looks after, is yours to say.
ProtectSystem=full
StateDirectory=upkeeper
StateDirectoryMode=0700
UMask=0077
SystemCallFilter=@system-service
"""

_REMEDIATOR_OF_PACKAGES = """\
# Installed with --packages: scripts of packages may do anything, so that nothing may be kept from them.
StateDirectory=upkeeper
StateDirectoryMode=0700
UMask=0022
"""


@dataclass(frozen=True)
class Wanted:
    """What the units are to be like. program: the absolute path of `upkeeper`, or a command line that is it."""

    program: str
    version: str
    packages: bool = False
    """Whether the remediator may install, update and remove packages of the host."""


def files(wanted: Wanted, *, vendor: bool = False) -> Mapping[str, str]:
    """Contents by absolute path. vendor: where packages of the distribution put theirs, else the administrator's."""
    units, others = ("/usr/lib/systemd/system", "/usr/lib") if vendor else ("/etc/systemd/system", "/etc")
    return {
        f"{units}/{EXPORTER}": exporter(wanted),
        f"{units}/{REMEDIATOR}": remediator(wanted),
        f"{others}/sysusers.d/upkeeper.conf": f'u {USER} - "Upkeeper\'s exporter" - -\n',
        f"{others}/tmpfiles.d/upkeeper.conf": (  # noqa: S108 - no temporary file
            f"# The config may name secrets of services.\nd /etc/upkeeper 0750 root {USER} -\n"
            "# The record and its tokens are root's.\nd /var/lib/upkeeper 0700 root root -\n"
        ),
    }


def exporter(wanted: Wanted) -> str:
    """The exporter's unit."""
    service = _service(wanted, "exporter", 10746, f"User={USER}\nGroup={USER}", "30s")
    return _unit("Upkeeper's exporter: it measures", [service, _EXPORTER, _BOTH])


def remediator(wanted: Wanted) -> str:
    """The remediator's unit."""
    service = _service(wanted, "remediator", 10747, "User=root", "60s")
    rights = [_REMEDIATOR_OF_PACKAGES] if wanted.packages else [_REMEDIATOR, _BOTH]
    return _unit("Upkeeper's remediator: it acts", [service, *rights])


def _service(wanted: Wanted, command: str, port: int, user: str, watchdog: str) -> str:
    return _SERVICE.format(
        user=user, port=port, name=f"upkeeper-{command}", program=wanted.program, command=command, watchdog=watchdog
    )


def _unit(description: str, service: Sequence[str]) -> str:
    after = "Wants=network-online.target\nAfter=network-online.target docker.service"
    head = f"[Unit]\nDescription={description}\n{after}\nStartLimitIntervalSec=0\n"
    install = "[Install]\nWantedBy=multi-user.target\n"
    return "\n".join([head, "[Service]\n" + "\n".join(service), install])
