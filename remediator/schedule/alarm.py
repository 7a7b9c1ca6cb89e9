"""Waiting for a time of the wall clock, not for a while: a clock that is set and a machine that slept count.

On Linux a timer of the kernel's realtime clock (timerfd_create(2)) costs nothing until it rings, rings as soon as a
machine wakes up past its time, and says when the clock was set. Elsewhere the clock is looked at every minute.
"""

import asyncio
import ctypes
import os
import sys
import time

from exporter.base.wakeup import is_set_within

LONGEST = 3600.0
"""Seconds after which whoever waits looks again in any case: no event tells that the machine's time zone changed."""
_COARSE = 60.0
"""Seconds between two looks at the clock where the kernel has no such timer."""

_CLOEXEC, _NONBLOCK = 0o2000000, 0o4000
_ABSOLUTE, _CANCEL_ON_SET = 1, 2


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Alarm:
    """Rings at a time of the wall clock (Unix seconds), when the clock is set, or when it is told to."""

    def __init__(self) -> None:
        self._told = asyncio.Event()

    def ring(self) -> None:
        """Ends the wait that is under way, or the next one."""
        self._told.set()

    async def wait(self, until: float | None) -> None:
        """Returns at that time, or earlier; None: only when something happens. Never later than after LONGEST."""
        left = LONGEST if until is None else max(0.0, min(until - time.time(), LONGEST))
        timer = _timer(time.time() + left)
        try:
            if timer is None:
                left = min(left, _COARSE)
            else:
                asyncio.get_running_loop().add_reader(timer, self._told.set)
            # The timer rings in time; this is for the time zone, and for where there is none.
            await is_set_within(self._told, left if timer is None else LONGEST)
        finally:
            if timer is not None:
                asyncio.get_running_loop().remove_reader(timer)
                os.close(timer)
        self._told.clear()


def _timer(at: float) -> int | None:
    """A descriptor that can be read from that time on, and when the clock is set; None where there is no such thing."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor: int = libc.timerfd_create(time.CLOCK_REALTIME, _CLOEXEC | _NONBLOCK)
    if descriptor < 0:
        return None
    seconds, fraction = divmod(max(at, 0.001), 1)
    setting = _Itimerspec(_Timespec(0, 0), _Timespec(int(seconds), max(1, int(fraction * 1e9))))
    if libc.timerfd_settime(descriptor, _ABSOLUTE | _CANCEL_ON_SET, ctypes.byref(setting), None):
        os.close(descriptor)
        return None
    return descriptor
