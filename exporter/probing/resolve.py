"""The addresses of a host, in the order in which to try them."""

import socket
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from exporter.probing.failure import ProbeFailure
from exporter.probing.recorder import Recorder
from exporter.probing.shared_calls import SharedCalls

Protocol: TypeAlias = Literal["any", "ipv4", "ipv6"]

_FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
_lookups = SharedCalls()

_MAX_SHOWN = 100
"""Characters of a host in a failure."""


class Address(NamedTuple):
    """Where to connect to. sockaddr: as the socket of this family takes it."""

    family: int
    sockaddr: Any

    def __str__(self) -> str:
        host, port = self.sockaddr[:2]
        return f"[{host}]:{port}" if self.family == socket.AF_INET6 else f"{host}:{port}"


async def resolve(host: str, port: int, protocol: Protocol, fallback: bool, recorder: Recorder) -> Sequence[Address]:
    """The addresses to try. Raises ProbeFailure.

    protocol: the addresses of this one alone; if there are none and ``fallback``, those of the other. ``any``: all, in
    the system's order (RFC 6724).
    """
    recorder.enter("resolve")
    found = _literal(host, port)
    if found is None:
        found = await _lookups.run((host, port), lambda: _lookup(host, port))
    family = _FAMILIES.get(protocol)
    chosen = [address for address in found if family is None or address.family == family]
    if not chosen and fallback:
        chosen = found
    recorder.note("resolved", host=host, addresses=[str(address) for address in found], protocol=protocol)
    if not chosen:
        kind = "IPv4" if protocol == "ipv4" else "IPv6"
        raise ProbeFailure(f"{_shown(host)} has no {kind} address", brief=f"its name has no {kind} address")
    return chosen


def _literal(host: str, port: int) -> list[Address] | None:
    """The address that the host is already, which takes no thread; None for a name."""
    try:
        return _getaddrinfo(host, port, socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None


def _lookup(host: str, port: int) -> list[Address]:
    try:
        return _getaddrinfo(host, port, 0)
    except OSError as error:
        raise ProbeFailure(
            f"cannot resolve {_shown(host)}: {error.strerror}", brief=f"cannot resolve its name: {error.strerror}"
        ) from None
    except UnicodeError:
        raise ProbeFailure(
            f"cannot resolve {_shown(host)}: it is not a host name",
            brief="cannot resolve its name: it is not a host name",
        ) from None


def _shown(host: str) -> str:
    """A redirect may name a host of any length."""
    return host if len(host) <= _MAX_SHOWN else f"{host[: _MAX_SHOWN - 3]}..."


def _getaddrinfo(host: str, port: int, flags: int) -> list[Address]:
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return list(dict.fromkeys(Address(family, sockaddr) for family, _, _, _, sockaddr in infos))
