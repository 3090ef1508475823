"""A model that a store keeps, fetched in a process of its own into a folder of this server."""

import json
import shutil
import tempfile
import zlib
from functools import partial
from pathlib import Path

from app.errors import ModelNotReady, Refusal
from app.processes.state_directory import state_directory
from app.processes.throwaway import answer_apart
from app.runtimes.artifact import Location
from app.runtimes.mlflow_store import fetch

PREFIX = "forkcast-download-"
# Of the time that there is for a model: in the rest it is loaded and proven.
SHARE = 0.75


def located_in_store(uri: str, *, seconds: float) -> Location:
    """
    Where the model lies that the store has under this URI at present; raises ModelNotReady.

    `seconds` are for its load and its proof too. What was downloaded before is removed.
    """
    seconds *= SHARE
    folder = _folder()
    shutil.rmtree(folder, ignore_errors=True)
    work = partial(_fetched, uri, folder)
    try:
        found = json.loads(answer_apart(work, seconds=seconds, max_memory_bytes=None, attend=lambda: None))
    except ModelNotReady as error:
        if error.refusal is Refusal.SLOW:
            raise ModelNotReady(f"{uri}: the store has not given it within {seconds:g} s", Refusal.SLOW) from error
        raise
    return Location(Path(found["path"]), found["name"], found["version"])


def discard_download(location: Location) -> None:
    """What `located_in_store` downloaded, once it is in memory; what lies elsewhere stays."""
    temporary = Path(tempfile.gettempdir())
    for folder in (location.path, *location.path.parents):
        if folder.parent == temporary and folder.name.startswith(PREFIX):
            shutil.rmtree(folder, ignore_errors=True)


def _fetched(uri: str, folder: Path) -> str:
    return json.dumps(fetch(uri, folder))


def _folder() -> Path:
    """Of this arbiter, in the system's folder of temporary files: a model may be larger than the state's tmpfs."""
    own, parent = state_directory(), Path(tempfile.gettempdir())
    prefix = f"{PREFIX}{zlib.crc32(bytes(own.parent)):08x}-"
    for left in parent.glob(f"{prefix}*"):
        if not (own.parent / left.name.removeprefix(prefix)).exists():
            # Its arbiter is no more.
            shutil.rmtree(left, ignore_errors=True)
    return parent / f"{prefix}{own.name}"
