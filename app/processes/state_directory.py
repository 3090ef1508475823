"""
The folder of a running server's state (metric files, heartbeats): on tmpfs, one for each arbiter, empty at its start.

The arbiter holds a lock on it. The kernel lets go of the lock however the arbiter and its workers end, which is how
the next start knows the folders that nobody removed.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")


@cache
def state_directory() -> Path:
    """This arbiter's folder, made at the first call; a HUP, which executes Gunicorn's configuration again, gets it."""
    parent = _parent()
    prefix = f"forkcast-{os.getuid()}-"
    remove_abandoned(parent, prefix)
    made = Path(tempfile.mkdtemp(prefix=".forkcast-", dir=parent))
    _lock(made)
    # Under its final name only once it is locked: before, another start might take it for abandoned.
    directory = made.rename(parent / (prefix + made.name.removeprefix(".forkcast-")))
    atexit.register(_remove, directory, os.getpid())
    return directory


def remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove the folders of arbiters that were killed."""
    for directory in parent.glob(f"{prefix}*"):
        try:
            os.close(_lock(directory))
        except OSError:
            continue
        shutil.rmtree(directory, ignore_errors=True)


def _parent() -> Path:
    given = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given)
    return SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else Path(tempfile.gettempdir())


def _lock(directory: Path) -> int:
    """The descriptor that holds the lock; raises OSError where another process has it."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove(directory: Path, arbiter: int) -> None:
    # A worker that ends inherits this call, and must leave the folder to its arbiter.
    if os.getpid() == arbiter:
        shutil.rmtree(directory, ignore_errors=True)
