"""
An artifact's bytes, read once and checked before anything in them can run.

What is hashed is what is loaded: nobody can change the file in between.
"""

import grp
import hashlib
import json
import os
import pwd
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.errors import ModelNotReady, Refusal

MANIFEST_SUFFIX = ".manifest.json"
MOST_MANIFEST_BYTES = 2**26
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Location:
    """Where an artifact lies; `name` and `version` are those that a repository's folders give, else None."""

    path: Path
    name: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """
    The bytes of one file, their sha256 in hex, and the manifest that belongs to them, if there is one.

    The name and version of its location go before the manifest's.
    """

    location: Location
    data: bytes = field(repr=False)
    sha256: str
    manifest: dict[str, Any] | None = field(repr=False)
    manifest_sha256: str

    @property
    def path(self) -> Path:
        return self.location.path

    @property
    def name(self) -> str:
        return self.location.name or str((self.manifest or {}).get("name", self.path.stem))

    @property
    def version(self) -> str:
        return self.location.version or str((self.manifest or {}).get("version", self.sha256[:12]))

    @property
    def identity(self) -> str:
        """Of two artifacts with the same one the same model is made, name and version included."""
        return ":".join((self.sha256, self.manifest_sha256, self.name, self.version))


def manifest_path(artifact: Path) -> Path:
    """`churn.manifest.json` beside `churn.joblib`."""
    return artifact.with_suffix(MANIFEST_SUFFIX)


def is_manifest(path: Path) -> bool:
    return path.name.endswith(MANIFEST_SUFFIX)


def read_artifact(location: Location, *, pin: str | None, max_bytes: int) -> Artifact:
    """
    Read and check the file; raises ModelNotReady with the reason.

    `pin` is a sha256 in hex, or the path of a file in sha256sum's form, which is read again at each load.
    """
    path = location.path
    real, data = read_unwritable(path, max_bytes)
    sha256 = hashlib.sha256(data).hexdigest()
    if pin is not None and sha256 != _pinned_digest(pin, path):
        raise ModelNotReady(f"{path}: its sha256 is {sha256}, not the pinned one", Refusal.UNPINNED)
    manifest, manifest_sha256 = _read_manifest(manifest_path(real), sha256)
    artifact = Artifact(location, data, sha256, manifest, manifest_sha256)
    for label in (artifact.name, artifact.version):
        # Both go into logs, metrics and answers.
        if not label.isprintable():
            raise ModelNotReady(f"{path}: its name or version, {label!a}, cannot be printed", Refusal.CORRUPT)
    return artifact


def read_unwritable(path: Path, max_bytes: int) -> tuple[Path, bytes]:
    """The place and the bytes of a regular file that nobody but root and this user can replace; or ModelNotReady."""
    real = _resolve(path)
    _refuse_writable_by_others(real)
    return real, _read_regular_file(real, max_bytes)


def _resolve(path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise ModelNotReady(f"{path}: {_cause(error)}", Refusal.MISSING) from error


def _cause(error: Exception) -> str:
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)


def _refuse_writable_by_others(real: Path) -> None:
    for place in (real, *real.parents):
        status = place.stat()
        if status.st_uid not in (0, os.geteuid()):
            raise ModelNotReady(f"{place}: belongs to another user, who could replace the model", Refusal.UNTRUSTED)
        shared_temporary = place is not real and bool(status.st_mode & stat.S_ISVTX)
        if _writable_by_others(status) and not shared_temporary:
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


def _read_regular_file(real: Path, max_bytes: int) -> bytes:
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
        raise ModelNotReady(f"{real}: {_cause(error)}", Refusal.MISSING) from error


def _pinned_digest(pin: str, path: Path) -> str:
    if DIGEST.fullmatch(pin.lower()):
        return pin.lower()
    try:
        lines = [line.split(maxsplit=1) for line in Path(pin).read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ModelNotReady("the pin is neither a sha256 nor a file that can be read", Refusal.UNPINNED) from error
    digests = [(parts[0], Path(parts[1].lstrip("*").strip())) for parts in lines if len(parts) == 2]
    named = [digest for digest, told in digests if told.name == path.name]
    if len(named) > 1:
        # The versions of one model may all have files of the same name.
        named = [digest for digest, told in digests if path.parts[-len(told.parts) :] == told.parts]
    if len(named) != 1 or not DIGEST.fullmatch(named[0].lower()):
        raise ModelNotReady(f"{pin}: has not exactly one line of sha256sum for {path.name}", Refusal.UNPINNED)
    return named[0].lower()


def _read_manifest(path: Path, sha256: str) -> tuple[dict[str, Any] | None, str]:
    """The manifest and the sha256 of its own bytes."""
    if not os.path.lexists(path):
        return None, ""
    try:
        _, data = read_unwritable(path, MOST_MANIFEST_BYTES)
        manifest = json.loads(data)
        belongs = manifest["sha256"] == sha256
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelNotReady(
            f"{path}: cannot be read as a manifest ({type(error).__name__})", Refusal.CORRUPT
        ) from error
    if not belongs:
        raise ModelNotReady(f"{path}: is the manifest of another artifact (its sha256 differs)", Refusal.CORRUPT)
    return dict(manifest), hashlib.sha256(data).hexdigest()
