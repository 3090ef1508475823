"""An artifact that is a folder, as MLflow makes them: all its files, checked as a single file is."""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from app.errors import ModelNotReady, Refusal
from app.runtimes.checked_files import cause, read_regular_file, refuse_to_trust

# The file that every MLflow model has; a folder without it is not read at all.
MLMODEL = "MLmodel"
# Files and folders in it; a model of a thousand parts has a few thousand.
MOST_ENTRIES = 10_000


def read_folder(folder: Path, max_bytes: int) -> dict[str, bytes]:
    """
    The bytes of each file in it by its path within, which nobody else could have written; raises ModelNotReady.

    Links are refused, for what they lead to may be anybody's; all files together have at most `max_bytes`.
    """
    if not (folder / MLMODEL).is_file():
        raise ModelNotReady(f"{folder}: is a folder without the file {MLMODEL} of an MLflow model")
    try:
        sizes = dict(_files(folder))
    except OSError as error:
        raise ModelNotReady(f"{folder}: {cause(error)}", Refusal.MISSING) from error
    total = sum(sizes.values())
    if total > max_bytes:
        raise ModelNotReady(f"{folder}: has {total} bytes, more than the {max_bytes} allowed")
    # By its size then, so that what grows meanwhile is refused.
    return {path: read_regular_file(folder / path, size) for path, size in sizes.items()}


def listing(files: Mapping[str, bytes]) -> bytes:
    """What sha256sum prints for them in the order of their names, whose own sha256 is that of the folder."""
    lines = [f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files, key=os.fsencode)]
    return "".join(lines).encode()


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Each file's path within the folder, and its size."""
    folders, count = [folder], 0
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                place, status, count = Path(entry.path), entry.stat(follow_symlinks=False), count + 1
                if count > MOST_ENTRIES:
                    raise ModelNotReady(f"{folder}: has more than {MOST_ENTRIES} files and folders")
                within = str(place.relative_to(folder))
                _check(place, within, status)
                if stat.S_ISDIR(status.st_mode):
                    folders.append(place)
                else:
                    yield within, status.st_size


def _check(place: Path, within: str, status: os.stat_result) -> None:
    # sha256sum writes a backslash in a name in another way.
    if not within.isprintable() or "\\" in within:
        raise ModelNotReady(f"{place.parent}: has a name that cannot be printed, {place.name!a}", Refusal.CORRUPT)
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise ModelNotReady(f"{place}: is neither a regular file nor a folder", Refusal.UNTRUSTED)
    refuse_to_trust(place, status)
