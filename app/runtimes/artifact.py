"""
An artifact's bytes, read once and checked before anything in them can run.

What is hashed is what is loaded: nobody can change the file in between.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app.errors import ModelNotReady, Refusal
from app.runtimes.artifact_folder import listing, read_folder
from app.runtimes.checked_files import read_regular_file, read_unwritable, refuse_writable_by_others, resolve

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

    Of a folder `files` has the bytes of each file by its path within, and `data` is empty. The name and version of its
    location go before the manifest's.
    """

    location: Location
    data: bytes = field(repr=False)
    sha256: str
    manifest: dict[str, Any] | None = field(repr=False)
    manifest_sha256: str
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def path(self) -> Path:
        return self.location.path

    @property
    def name(self) -> str:
        return self.location.name or str((self.manifest or {}).get("name", self._own_name))

    @property
    def version(self) -> str:
        return self.location.version or str((self.manifest or {}).get("version", self.sha256[:12]))

    @property
    def _own_name(self) -> str:
        """`churn` for `churn.joblib` and for a folder `churn`; a dot in a folder's name begins no suffix."""
        return self.path.absolute().name if self.files else self.path.stem

    def inner(self, path: str) -> "Artifact":
        """One file of this folder as an artifact of the same name, version and manifest; raises ModelNotReady."""
        if path not in self.files:
            raise ModelNotReady(f"{self.path}: has no file {path!a}", Refusal.CORRUPT)
        return replace(self, location=Location(self.path, self.name, self.version), data=self.files[path], files={})

    @property
    def identity(self) -> str:
        """Of two artifacts with the same one the same model is made, name and version included."""
        return ":".join((self.sha256, self.manifest_sha256, self.name, self.version))


def manifest_path(artifact: Path) -> Path:
    """`churn.manifest.json` beside `churn.joblib`, or beside a folder `churn`."""
    return artifact.with_name((artifact.name if artifact.is_dir() else artifact.stem) + MANIFEST_SUFFIX)


def is_manifest(path: Path) -> bool:
    return path.name.endswith(MANIFEST_SUFFIX)


def read_artifact(location: Location, *, pin: str | None, max_bytes: int) -> Artifact:
    """
    Read and check the file, or all files of the folder; raises ModelNotReady with the reason.

    `pin` is a sha256 in hex, or the path of a file in sha256sum's form, which is read again at each load.
    """
    path = location.path
    real = resolve(path)
    refuse_writable_by_others(real)
    files = read_folder(real, max_bytes) if real.is_dir() else {}
    data = b"" if files else read_regular_file(real, max_bytes)
    sha256 = hashlib.sha256(listing(files) if files else data).hexdigest()
    if pin is not None and sha256 != _pinned_digest(pin, path):
        raise ModelNotReady(f"{path}: its sha256 is {sha256}, not the pinned one", Refusal.UNPINNED)
    manifest, manifest_sha256 = _read_manifest(manifest_path(real), sha256)
    artifact = Artifact(location, data, sha256, manifest, manifest_sha256, files)
    for label in (artifact.name, artifact.version):
        # Both go into logs, metrics and answers.
        if not label.isprintable():
            raise ModelNotReady(f"{path}: its name or version, {label!a}, cannot be printed", Refusal.CORRUPT)
    return artifact


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
        data = read_unwritable(path, MOST_MANIFEST_BYTES)
        manifest = json.loads(data)
        belongs = manifest["sha256"] == sha256
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelNotReady(
            f"{path}: cannot be read as a manifest ({type(error).__name__})", Refusal.CORRUPT
        ) from error
    if not belongs:
        raise ModelNotReady(f"{path}: is the manifest of another artifact (its sha256 differs)", Refusal.CORRUPT)
    return dict(manifest), hashlib.sha256(data).hexdigest()
