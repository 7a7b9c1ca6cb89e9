"""How much room the next set of a series needs. Pure."""

_MARGIN = 1.2
"""The next set may be larger than the last one by this much."""
_RESERVE = 16 * 1024**2
"""Left free beside it: the manifest, and whoever else writes there."""


def room_for(size: int) -> int:
    """Bytes that must be free for a set that takes about so many."""
    return int(size * _MARGIN) + _RESERVE
