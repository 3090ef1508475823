"""
A signal to stop that reaches a child of the arbiter at its birth ends it.

Until Gunicorn resets them, a child has the arbiter's handlers, which queue signals for a loop that it does not run:
what came in between would be lost, and the child killed only at the end of the graceful timeout.
"""

import os
import signal

ENDINGS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})


class ForkGuard:
    """Holds those signals back in the process that makes it, over each of its forks; to be made once a process."""

    def __init__(self) -> None:
        self._guarded = os.getpid()
        os.register_at_fork(before=self._hold, after_in_parent=self._release, after_in_child=self._obey)

    def _hold(self) -> None:
        if os.getpid() == self._guarded:
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)

    def _release(self) -> None:
        if os.getpid() == self._guarded:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)

    def _obey(self) -> None:
        if os.getppid() != self._guarded:
            return
        for number in ENDINGS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)
