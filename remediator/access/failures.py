"""A limit on failed credentials from one address."""

import time
from collections import OrderedDict
from collections.abc import Callable

from exporter.web.token_bucket import TokenBucket

BURST = 20
"""Failures that an address may have at once."""
INTERVAL = 6.0
"""Seconds after which it may have one more."""
MOST = 1000
"""Addresses that are remembered; the one that failed longest ago is forgotten for a new one."""


class Failures:
    """Counts failures by address, in bounded memory.

    Only failures are limited: a valid credential is taken from any address, so nobody is locked out by a neighbour, and
    no alert is lost because something else behind the same address has a wrong token.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def too_many(self, address: str) -> int:
        """Counts a failure. Zero if it is within the limit, else the seconds until the next one would be."""
        bucket = self._buckets.pop(address, None) or TokenBucket(INTERVAL, BURST, self._clock)
        self._buckets[address] = bucket
        while len(self._buckets) > MOST:
            self._buckets.popitem(last=False)
        return 0 if bucket.take() else max(1, round(bucket.wait))
