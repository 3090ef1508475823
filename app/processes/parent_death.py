"""A process that does not outlive the one that forked it."""

import contextlib
import ctypes
import os
import signal

# From linux/prctl.h: the signal that a process gets when its parent ends.
PR_SET_PDEATHSIG = 1


def end_with(parent: int, number: signal.Signals) -> bool:
    """Have the kernel send `number` to this process when `parent` ends; False where it has ended already."""
    # Only Linux has the call, and only some C libraries lend it.
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    return os.getppid() == parent
