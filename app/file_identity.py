"""Whether a name still means the file that was opened by it."""

import os
from pathlib import Path

# Of a file system and of a file in it.
Identity = tuple[int, int]


def file_identity(path: Path) -> Identity | None:
    """Of the file that has this name now; None where none has, or none that can be seen."""
    try:
        return _identity(path.stat())
    except OSError:
        return None


def open_file_identity(file: int) -> Identity:
    """Of the file behind a descriptor, whatever its name is by now."""
    return _identity(os.fstat(file))


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino
