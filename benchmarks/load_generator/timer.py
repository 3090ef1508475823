"""The kernel's timer as a file descriptor: an event loop's own timers count in whole milliseconds."""

import ctypes
import os

# Of <time.h> and <sys/timerfd.h>; Python has functions for these from 3.13 on.
CLOCK_MONOTONIC = 1
TIMER_ABSOLUTE_TIME = 1


class TimeSpecification(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class TimerSpecification(ctypes.Structure):
    _fields_ = (("interval", TimeSpecification), ("value", TimeSpecification))


class Timer:
    """Readable from the given moment of `time.monotonic` on, until it is set again."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self.descriptor = library.timerfd_create(CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        # Made once, since it is set for each request.
        self._specification = TimerSpecification()
        self._value = self._specification.value
        self._arguments = (self.descriptor, TIMER_ABSOLUTE_TIME, ctypes.byref(self._specification), None)
        self._settime = library.timerfd_settime

    def set(self, moment: float) -> None:
        self._set(int(moment), int(moment % 1 * 1e9))

    def clear(self) -> None:
        """Not readable until it is set."""
        self._set(0, 0)

    def close(self) -> None:
        os.close(self.descriptor)

    def _set(self, seconds: int, nanoseconds: int) -> None:
        self._value.seconds = seconds
        self._value.nanoseconds = nanoseconds
        if self._settime(*self._arguments) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
