"""A folder `name/version/artifact`, where a new version is a new folder."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from app.errors import ModelNotReady, Refusal
from app.runtimes.artifact import Location
from app.runtimes.artifact_folder import MLMODEL

# Both are parts of addresses.
ADDRESSABLE = re.compile(r"[\w.~+@=,-]+")


def located(repository: Path, suffixes: Iterable[str], most_versions: int) -> list[Location]:
    """
    The newest versions of each model in it, the newest of each first; each artifact has one of the `suffixes`, or is
    the folder of an MLflow model.

    The numbers in two versions are compared as numbers: 10 is newer than 9, v1.10 than v1.9, and 1.0-rc1 than 1.0.
    What is hidden (its name begins with a dot) is passed over, so that a version can be written there and then renamed.
    Raises ModelNotReady where there is no model, one has no version, or a version not exactly one artifact.
    """
    models = models_in(repository)
    if not models:
        raise ModelNotReady(f"{repository}: has no model", Refusal.MISSING)
    newest = [folder for model in models for folder in versions_of(model)[:most_versions]]
    return [Location(only_artifact(folder, suffixes), folder.parent.name, folder.name) for folder in newest]


def models_in(repository: Path) -> list[Path]:
    """Their folders, by name; raises ModelNotReady."""
    return _folders(repository)


def versions_of(model: Path) -> list[Path]:
    """Their folders, the newest first; raises ModelNotReady where there is none."""
    versions = sorted(_folders(model), key=lambda folder: version_key(folder.name), reverse=True)
    if not versions:
        raise ModelNotReady(f"{model}: has no version", Refusal.MISSING)
    return versions


def only_artifact(version: Path, suffixes: Iterable[str]) -> Path:
    """Raises ModelNotReady where there is not exactly one."""
    artifacts = [each for each in _visible(version) if each.suffix in suffixes or (each / MLMODEL).is_file()]
    if len(artifacts) != 1:
        found = "several artifacts" if artifacts else "no artifact"
        raise ModelNotReady(f"{version}: has {found} ({', '.join(suffixes)}, an MLflow folder)", Refusal.MISSING)
    return artifacts[0]


def version_key(version: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Sorts versions by age; of two that differ in leading zeros only, the order is certain too."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", version)
    return [(bool(number), int(number or 0), word) for number, word in parts], version


def _folders(folder: Path) -> list[Path]:
    """Raises ModelNotReady where one has a name that is no part of an address."""
    found = [each for each in _visible(folder) if each.is_dir()]
    for each in found:
        if not ADDRESSABLE.fullmatch(each.name):
            reason = f"{each}: its name is part of an address, and may have letters, digits and _.~+@=,- only"
            raise ModelNotReady(reason, Refusal.UNUSABLE)
    return found


def _visible(folder: Path) -> list[Path]:
    """Raises ModelNotReady where one is not to be listed or looked at, or has a name that cannot be printed."""
    try:
        found = sorted(each for each in folder.iterdir() if not each.name.startswith("."))
        for each in found:
            each.stat()
    except OSError as error:
        raise ModelNotReady(f"{error.filename!a}: {os.strerror(error.errno or 0)}", Refusal.MISSING) from error
    unprintable = [each.name for each in found if not each.name.isprintable()]
    if unprintable:
        raise ModelNotReady(f"{folder}: has a name that cannot be printed, {unprintable[0]!a}", Refusal.CORRUPT)
    return found
