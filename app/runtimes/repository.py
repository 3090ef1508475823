"""A folder `name/version/artifact`, where a new version is a new folder."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app.errors import ModelNotReady, Refusal


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a model, by the names of its folders, and the path of the artifact in it."""

    name: str
    version: str
    path: Path


def newest_version(repository: Path, suffixes: Iterable[str]) -> Version:
    """
    The newest version of the one model in it; its artifact has one of the `suffixes`.

    The numbers in two versions are compared as numbers: 10 is newer than 9, and v1.10 than v1.9. What is hidden (its
    name begins with a dot) is passed over, so that a version can be written there and then renamed. Raises
    ModelNotReady where there is not exactly one model, or not exactly one artifact in the version.
    """
    names = _folders(repository)
    if len(names) != 1:
        found = f"several models ({', '.join(each.name for each in names)})" if names else "no model"
        raise ModelNotReady(f"{repository}: has {found}; exactly one is served", Refusal.MISSING)
    versions = _folders(names[0])
    if not versions:
        raise ModelNotReady(f"{names[0]}: has no version", Refusal.MISSING)
    newest = max(versions, key=lambda folder: version_key(folder.name))
    artifacts = [each for each in _visible(newest) if each.suffix in suffixes]
    if len(artifacts) != 1:
        found = "several artifacts" if artifacts else "no artifact"
        raise ModelNotReady(f"{newest}: has {found} ({', '.join(suffixes)})", Refusal.MISSING)
    return Version(names[0].name, newest.name, artifacts[0])


def version_key(version: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Sorts versions by age; of two that differ in leading zeros only, the order is certain too."""
    parts = re.findall(r"[0-9]+|[^0-9]+", version)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts], version


def _folders(folder: Path) -> list[Path]:
    return [each for each in _visible(folder) if each.is_dir()]


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in folder.iterdir() if not each.name.startswith("."))
    except OSError as error:
        raise ModelNotReady(f"{folder}: {os.strerror(error.errno or 0)}", Refusal.MISSING) from error
