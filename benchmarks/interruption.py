"""Every way to be told to end is as Ctrl-C: what was begun is stopped, and no server is left behind."""

import signal
from types import FrameType

# The status of a command that was interrupted.
INTERRUPTED = 130


def interruptible() -> None:
    """What nohup ignores stays ignored."""
    # A shell that puts a command into the background has it ignore this one, and with it what asyncio makes of it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is signal.SIG_DFL:
            signal.signal(ending, _as_ctrl_c)


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    """Which asyncio knows: an exception that is raised in one of its callbacks would end nothing."""
    signal.raise_signal(signal.SIGINT)
