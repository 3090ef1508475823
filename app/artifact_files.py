"""The artifact that is served, its manifest, and the pair that was there before: no reader ever sees half a file."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from app.runtimes.artifact import is_manifest, manifest_path

# Whose content each file is to have; where there is no such file, there is to be none.
Contents = Mapping[Path, Path]
Staged = Mapping[Path, Path | None]


class ArtifactFiles:
    """Those at `uri`; `churn.joblib` has its former self in `churn.previous.joblib`, the manifests beside them."""

    def __init__(self, uri: str) -> None:
        # A link stays a link.
        self.artifact = Path(uri).resolve()
        self.previous = self.artifact.with_name(f"{self.artifact.stem}.previous{self.artifact.suffix}")

    def installation(self, new: Path) -> Contents:
        """That of `new` takes the place of the artifact, which takes the place of the previous one."""
        former = _pair(self.previous, self.artifact) if self.artifact.exists() else {}
        return {**former, **_pair(self.artifact, new.resolve())}

    def exchange(self) -> Contents:
        """The artifact and the previous one change places."""
        return {**_pair(self.previous, self.artifact), **_pair(self.artifact, self.previous)}


@contextlib.contextmanager
def put_in_place(contents: Contents) -> Iterator[None]:
    """The files are as told when the block begins, and as before where it raises; raises OSError."""
    with _staged({path: path for path in contents}) as former, _staged(contents) as wanted:
        try:
            _replace(wanted)
            yield
        except BaseException:
            _replace(former)
            raise


def reproduce(source: Path, new: Path, *, like: Path) -> None:
    """By a link within one folder, else by a copy, which belongs to whom the file in its place belongs to."""
    if source.parent == new.parent:
        os.link(source, new)
        return
    with source.open("rb") as data, os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as copy:
        shutil.copyfileobj(data, copy)
        copy.flush()
        if os.geteuid() == 0 and like.exists():
            os.fchown(copy.fileno(), like.stat().st_uid, like.stat().st_gid)
        os.fsync(copy.fileno())


def sync_folder(folder: Path) -> None:
    """What was renamed in it is so after a failure of power too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _pair(place: Path, source: Path) -> Contents:
    return {place: source, manifest_path(place): manifest_path(source)}


@contextlib.contextmanager
def _staged(contents: Contents) -> Iterator[Staged]:
    """Complete files beside those that they are to replace; what was not used of them is removed with the block."""
    staged: dict[Path, Path | None] = {}
    try:
        for place, source in contents.items():
            staged[place] = None
            if source.exists():
                staged[place] = new = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
                reproduce(source, new, like=place)
        yield staged
    finally:
        for each in staged.values():
            if each is not None:
                each.unlink(missing_ok=True)


def _replace(staged: Staged) -> None:
    """Manifests go first and come last: wherever this is cut off, no artifact has the manifest of another."""
    manifests = {place for place in staged if is_manifest(place)}
    for place in [*manifests, *(place for place, source in staged.items() if source is None)]:
        place.unlink(missing_ok=True)
    for place, source in sorted(staged.items(), key=lambda pair: pair[0] in manifests):
        if source is not None:
            os.replace(source, place)
    for folder in {place.parent for place in staged}:
        sync_folder(folder)
