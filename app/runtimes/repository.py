"""A folder `name/version/artifact`, where a new version is a new folder."""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

import structlog

from app.errors import ModelNotReady, Refusal
from app.runtimes.artifact import Location
from app.runtimes.artifact_folder import MLMODEL

# A name and a version are parts of addresses: letters of any alphabet, beside which stand marks that combine with them.
ADDRESSABLE = re.compile(r"[\w.~+@=,-]+")
MARKS = ("Mn", "Mc")
# What a file system has at its root, and only root may look into.
LOST = "lost+found"
log = structlog.stdlib.get_logger("forkcast")


class NoModel(ModelNotReady):
    """A folder in a repository is not that of a model; the others in it may be served."""


def addressable(name: str) -> bool:
    """Whether it can be part of an address."""
    return bool(ADDRESSABLE.fullmatch("".join(each for each in name if unicodedata.category(each) not in MARKS)))


def located(repository: Path, suffixes: Iterable[str], most_versions: int) -> list[Location]:
    """
    The newest versions of each model in it, the newest of each first; each artifact has one of the `suffixes`, or is
    the folder of an MLflow model.

    The numbers in two versions are compared as numbers: 10 is newer than 9, v1.10 than v1.9, and 1.0-rc1 than 1.0.
    What is hidden (its name begins with a dot) is passed over, so that a version can be written there and then renamed;
    what is no model, or an older version without an artifact, is too, and the log says so. Raises ModelNotReady where
    nothing is a model, or the newest version of one has not exactly one artifact.
    """
    models, others = _models_and_others(repository, suffixes)
    for other in others if models else []:
        log.warning("folder passed over", reason=other.reason)
    if not models:
        raise others[0] if others else ModelNotReady(f"{repository}: has no model", Refusal.MISSING)
    return [each for model in models for each in _newest(model, suffixes, most_versions)]


def models_of(repository: Path, suffixes: Iterable[str]) -> list[Path]:
    """Their folders, by name; raises ModelNotReady."""
    return _models_and_others(repository, suffixes)[0]


def versions_of(model: Path) -> list[Path]:
    """Their folders, the newest first; raises ModelNotReady where there is none."""
    versions = sorted(_folders(model), key=lambda folder: version_key(folder.name), reverse=True)
    if not versions:
        raise ModelNotReady(f"{model}: has no version", Refusal.MISSING)
    return versions


def only_artifact(version: Path, suffixes: Iterable[str]) -> Path:
    """Raises ModelNotReady where there is not exactly one."""
    artifacts = _artifacts(version, suffixes)
    if len(artifacts) != 1:
        found = "several artifacts" if artifacts else "no artifact"
        raise ModelNotReady(f"{version}: has {found} ({', '.join(suffixes)}, an MLflow folder)", Refusal.MISSING)
    return artifacts[0]


def version_key(version: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Sorts versions by age; of two that differ in leading zeros only, the order is certain too."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", version)
    return [(bool(number), int(number or 0), word) for number, word in parts], version


def _newest(model: Path, suffixes: Iterable[str], most: int) -> Iterator[Location]:
    for age, version in enumerate(versions_of(model)[:most]):
        try:
            yield Location(only_artifact(version, suffixes), model.name, version.name)
        except ModelNotReady as error:
            if age == 0:
                raise
            log.warning("older version not loaded", reason=error.reason)


def _models_and_others(repository: Path, suffixes: Iterable[str]) -> tuple[list[Path], list[NoModel]]:
    """
    The folders of models, and why each of the others is that of none.

    Raises ModelNotReady where one is not to be looked into: a model that was served may be in it.
    """
    models, others = [], []
    for folder in _visible(repository):
        try:
            _check(folder)
            if folder.is_dir():
                _check_model(folder, suffixes)
                models.append(folder)
        except NoModel as error:
            others.append(error)
    return models, others


def _check_model(folder: Path, suffixes: Iterable[str]) -> None:
    """Raises NoModel where no version in it has an artifact."""
    _check_address(folder)
    versions = [each for each in _visible(folder) if each.is_dir()]
    if not versions:
        raise NoModel(f"{folder}: has no version", Refusal.MISSING)
    if not any(_may_have_artifacts(version, suffixes) for version in versions):
        raise NoModel(f"{folder}: has no artifact in any version", Refusal.MISSING)


def _folders(folder: Path) -> list[Path]:
    """Raises ModelNotReady where one has a name that is no part of an address."""
    visible = _visible(folder)
    for each in visible:
        _check(each)
    found = [each for each in visible if each.is_dir()]
    for each in found:
        _check_address(each)
    return found


def _artifacts(version: Path, suffixes: Iterable[str]) -> list[Path]:
    return [each for each in _visible(version) if each.suffix in suffixes or (each / MLMODEL).is_file()]


def _may_have_artifacts(version: Path, suffixes: Iterable[str]) -> bool:
    try:
        return bool(_artifacts(version, suffixes))
    except ModelNotReady:
        return True


def _check(path: Path) -> None:
    """Raises ModelNotReady where it is not to be looked at, NoModel where it has a name that cannot be printed."""
    try:
        path.stat()
    except OSError as error:
        raise _unreadable(error) from error
    if not path.name.isprintable():
        raise NoModel(f"{path.parent}: has a name that cannot be printed, {path.name!a}", Refusal.CORRUPT)


def _check_address(folder: Path) -> None:
    """Raises NoModel."""
    if not addressable(folder.name):
        reason = f"{folder}: its name is part of an address, and may have letters, digits and _.~+@=,- only"
        raise NoModel(reason, Refusal.UNUSABLE)


def _visible(folder: Path) -> list[Path]:
    """Raises ModelNotReady where it is not to be listed."""
    try:
        return sorted(each for each in folder.iterdir() if not each.name.startswith(".") and each.name != LOST)
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> ModelNotReady:
    return ModelNotReady(f"{error.filename!a}: {os.strerror(error.errno or 0)}", Refusal.MISSING)
