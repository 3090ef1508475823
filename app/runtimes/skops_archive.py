"""
A skops file, a zip of arrays around `schema.json`, before skops reads it.

skops itself makes nothing before all types in the schema are trusted, but by then it has read every array that is
named there, as often as it is named, and has gone through what one object shares with another once for each way to it.
"""

import io
import json
from collections.abc import Hashable
from typing import Any
from zipfile import ZipFile

import sklearn
from numpy.lib.format import MAGIC_PREFIX

from app.errors import ModelNotReady, Refusal
from app.runtimes.artifact import Artifact
from app.runtimes.checked_files import shown

SCHEMA = "schema.json"


def check_archive(artifact: Artifact, max_bytes: int) -> None:
    """
    That it unpacks to at most `max_bytes`, is of this scikit-learn and shares no more than skops lets it.

    Raises ModelNotReady, or whatever a file raises that is none; nothing of it is imported or made.
    """
    with ZipFile(io.BytesIO(artifact.data)) as archive:
        names = archive.namelist()
        if SCHEMA not in names or len(set(names)) < len(names):
            raise ModelNotReady(f"{artifact.path}: is a zip, but no skops file", Refusal.CORRUPT)
        _check_size(artifact, unpacked_bytes(archive), max_bytes)
        schema = _Schema(archive)
        schema.count(json.loads(archive.read(SCHEMA)))
    _check_size(artifact, schema.read_bytes, max_bytes)
    for version in schema.versions - {sklearn.__version__}:
        raise ModelNotReady(
            f"{artifact.path}: fitted with scikit-learn {shown(version)}, here is {sklearn.__version__}"
        )


def unpacked_bytes(archive: ZipFile) -> int:
    """As the directory tells it; Python reads no more of an entry."""
    return sum(entry.file_size for entry in archive.infolist())


def _check_size(artifact: Artifact, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise ModelNotReady(f"{artifact.path}: unpacks to {size} bytes, more than the {max_bytes} allowed")


class _Schema:
    """What is found in it while its objects are counted."""

    def __init__(self, archive: ZipFile) -> None:
        self.read_bytes = 0
        self.versions: set[str] = set()
        self._archive = archive
        self._counts: dict[Hashable, int] = {}
        self._read: set[tuple[Hashable, str]] = set()

    def count(self, value: Any) -> int:
        """The objects in `value`, itself included."""
        if isinstance(value, list):
            return sum(map(self.count, value))
        if not isinstance(value, dict):
            return 0
        count = 1 + sum(map(self.count, value.values()))
        self._check_repeated(value, count)
        self._add_version(value)
        self._add_file(value)
        return count

    def _check_repeated(self, state: dict[str, Any], count: int) -> None:
        """An object is written in full wherever it is held; a few that only name others could stand for any number."""
        identity = state.get("__id__")
        if isinstance(identity, int | float | str) and self._counts.setdefault(identity, count) != count:
            raise ValueError("it repeats an object in another form")

    def _add_version(self, state: dict[str, Any]) -> None:
        version = state.get("_sklearn_version")
        if isinstance(version, dict) and isinstance(version.get("content"), str):
            told = json.loads(version["content"])
            # A vocabulary may have this word, with its number.
            if isinstance(told, str):
                self.versions.add(told)

    def _add_file(self, state: dict[str, Any]) -> None:
        name, loader, identity = state.get("file"), state.get("__loader__"), state.get("__id__")
        if not isinstance(name, str) or (identity and (identity, name) in self._read):
            return
        self._read.add((identity, name))
        self.read_bytes += self._archive.getinfo(name).file_size
        if loader == "SparseMatrixNode":
            with self._archive.open(name) as file, ZipFile(file) as arrays:
                self.read_bytes += unpacked_bytes(arrays)
        elif loader == "NdArrayNode":
            with self._archive.open(name) as file:
                # What else numpy would load: a zip of its own.
                if file.read(len(MAGIC_PREFIX)) != MAGIC_PREFIX:
                    raise ValueError("an array in it is none")
