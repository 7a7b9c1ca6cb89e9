"""What the kernel knows about its clock, from adjtimex(2). Linux only."""

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.host.sample import Sample

# From <sys/timex.h>.
_STA_UNSYNC = 0x0040
_STA_NANO = 0x2000
_TIME_ERROR = 5


@dataclass(frozen=True, slots=True)
class KernelClock:
    """Fields of ``struct timex``, and what the call returned."""

    state: int
    status: int
    offset: int
    """Nanoseconds if the status has STA_NANO, else microseconds."""
    max_error: int
    """Microseconds."""


def samples(clock: KernelClock) -> Iterator[Sample]:
    """Figures. Pure.

    The offset is what the kernel has still to correct; a daemon that steers the clock by itself, as chrony does, leaves
    it 0. The error bound grows by 500 microseconds a second from the last correction on, and after 16 s counts as
    not synchronized.
    """
    yield Sample("clock_offset_seconds", clock.offset / (1e9 if clock.status & _STA_NANO else 1e6))
    yield Sample("clock_max_error_seconds", clock.max_error / 1e6)
    yield Sample("clock_synchronized", clock.state != _TIME_ERROR and not clock.status & _STA_UNSYNC)


def read_clock() -> KernelClock:
    """Asks the kernel, and changes nothing. Raises OSError where that is not possible or not allowed."""
    import ctypes

    class Timex(ctypes.Structure):
        _fields_ = (
            ("modes", ctypes.c_uint),
            ("offset", ctypes.c_long),
            ("freq", ctypes.c_long),
            ("maxerror", ctypes.c_long),
            ("esterror", ctypes.c_long),
            ("status", ctypes.c_int),
            ("rest", ctypes.c_long * 32),  # more than the kernel writes
        )

    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except AttributeError:
        raise OSError("the C library has no adjtimex") from None
    answer = Timex()  # modes 0: only read
    state = adjtimex(ctypes.byref(answer))
    if state < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"adjtimex failed with error {number}")
    return KernelClock(state, answer.status, answer.offset, answer.maxerror)
