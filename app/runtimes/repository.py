"""A folder `name/version/artifact`, where a new version is a new folder."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from app.errors import ModelNotReady, Refusal
from app.runtimes.artifact import Location


def newest_version(repository: Path, suffixes: Iterable[str]) -> Location:
    """
    The newest version of the one model in it; its artifact has one of the `suffixes`.

    The numbers in two versions are compared as numbers: 10 is newer than 9, v1.10 than v1.9, and 1.0-rc1 than 1.0.
    What is hidden (its name begins with a dot) is passed over, so that a version can be written there and then renamed.
    Raises ModelNotReady where there is not exactly one model, or not exactly one artifact in the version.
    """
    models = _folders(repository)
    if len(models) != 1:
        found = f"several models ({', '.join(each.name for each in models)})" if models else "no model"
        raise ModelNotReady(f"{repository}: has {found}; exactly one is served", Refusal.MISSING)
    versions = _folders(models[0])
    if not versions:
        raise ModelNotReady(f"{models[0]}: has no version", Refusal.MISSING)
    newest = max(versions, key=lambda folder: version_key(folder.name))
    artifacts = [each for each in _visible(newest) if each.suffix in suffixes]
    if len(artifacts) != 1:
        found = "several artifacts" if artifacts else "no artifact"
        raise ModelNotReady(f"{newest}: has {found} ({', '.join(suffixes)})", Refusal.MISSING)
    return Location(artifacts[0], models[0].name, newest.name)


def version_key(version: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Sorts versions by age; of two that differ in leading zeros only, the order is certain too."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", version)
    return [(bool(number), int(number or 0), word) for number, word in parts], version


def _folders(folder: Path) -> list[Path]:
    return [each for each in _visible(folder) if each.is_dir()]


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
