"""Files that nobody else could have written, read once."""

import grp
import os
import pwd
import stat
from pathlib import Path

from app.errors import ModelNotReady, Refusal

MOST_TOLD = 80


def read_unwritable(path: Path, max_bytes: int) -> bytes:
    """The bytes of a regular file that nobody but root and this user can replace; raises ModelNotReady."""
    real = resolve(path)
    refuse_writable_by_others(real)
    return read_regular_file(real, max_bytes)


def resolve(path: Path) -> Path:
    """The file or folder itself, links followed; raises ModelNotReady."""
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise ModelNotReady(f"{path}: {cause(error)}", Refusal.MISSING) from error


def cause(error: Exception) -> str:
    """In the system's words, without the path."""
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)


def refuse_writable_by_others(real: Path) -> None:
    """Others can replace neither it nor a folder on the way to it; raises ModelNotReady."""
    for place in (real, *real.parents):
        refuse_to_trust(place, place.stat(), shared_temporary=place is not real)


def refuse_to_trust(place: Path, status: os.stat_result, *, shared_temporary: bool = False) -> None:
    """Raises ModelNotReady where another user may write there; in a `shared_temporary` folder each has only his own."""
    if status.st_uid not in (0, os.geteuid()):
        raise ModelNotReady(f"{place}: belongs to another user, who could replace the model", Refusal.UNTRUSTED)
    if _writable_by_others(status) and not (shared_temporary and status.st_mode & stat.S_ISVTX):
        mode = stat.filemode(status.st_mode)
        raise ModelNotReady(
            f"{place}: is writable by other users ({mode}); chmod go-w makes it safe", Refusal.UNTRUSTED
        )


def _writable_by_others(status: os.stat_result) -> bool:
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _private_group(status)


def _private_group(status: os.stat_result) -> bool:
    """Whether the file's group has no member but its owner, as Debian and Ubuntu make one for each user."""
    try:
        owner, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    return owner.pw_gid == group.gr_gid and owner.pw_name == group.gr_name and set(group.gr_mem) <= {owner.pw_name}


def read_regular_file(real: Path, max_bytes: int) -> bytes:
    """Its bytes as they are at one moment; raises ModelNotReady."""
    # O_NONBLOCK: opening a pipe nobody writes to would wait for ever.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(real, flags)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ModelNotReady(f"{real}: is not a regular file")
            if status.st_size > max_bytes:
                raise ModelNotReady(f"{real}: has {status.st_size} bytes, more than the {max_bytes} allowed")
            with open(descriptor, "rb", closefd=False) as file:
                # By its size, for read() sets aside as many bytes as it is asked for.
                return file.read(status.st_size)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ModelNotReady(f"{real}: {cause(error)}", Refusal.MISSING) from error


def shown(text: str, most: int = MOST_TOLD) -> str:
    """What stands in a file, to be put into one line of a log."""
    return ascii(text)[1:-1][:most]
