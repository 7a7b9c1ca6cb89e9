"""Addresses to listen on, as people write them."""

import ipaddress


def parse_listen(listen: str) -> tuple[str | None, int]:
    """Host and port of ``127.0.0.1:10746``, ``[::1]:10746`` or ``:10746``; no host means every address.

    Raises ValueError that says which form is right.
    """
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{listen!r} is not an address to listen on; write host:port, for example 127.0.0.1:10746")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(
            f"{listen!r} is not an address to listen on; an IPv6 address needs brackets, as in [::1]:10746"
        )
    return host or None, int(port)


def is_loopback(listen: str) -> bool:
    """Whether nobody but this machine reaches what listens there. Raises ValueError as parse_listen does."""
    host, _ = parse_listen(listen)
    return host is not None and is_loopback_host(host)


def is_loopback_host(host: str) -> bool:
    """Whether a host is this machine's own loopback, judged by its text; a name other than localhost is not."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
