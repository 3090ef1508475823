"""The versions of the model in a repository: one more, or one less; no reader ever sees half of one."""

import contextlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from app.artifact_files import reproduce, sync_folder
from app.errors import ModelNotReady
from app.runtimes import artifact_in, models_in
from app.runtimes.artifact import manifest_path
from app.runtimes.repository import versions_of

NUMBER = re.compile("[0-9]+")


@contextlib.contextmanager
def one_more_version(repository: Path, artifact: Path, name: str | None = None) -> Iterator[None]:
    """
    While the block runs, and after it unless it raises, `artifact` is the newest version, under a number never used.

    It is one of the model of that name, or of the only one. Raises ModelNotReady where there is no such model, or its
    versions are no plain numbers, and OSError.
    """
    artifact, newest = artifact.resolve(), versions_of(_model(repository, name))[0]
    neighbour = artifact_in(newest)
    if not NUMBER.fullmatch(newest.name):
        raise ModelNotReady(f"{newest}: is not a number, so that the next version is yours to name: put it there")
    folder = newest.with_name(str(max(_numbers_used(newest.parent)) + 1))
    hidden = _hidden(folder)
    hidden.mkdir()
    try:
        _own_alike(hidden, newest)
        for source in (artifact, manifest_path(artifact)):
            if source.exists():
                reproduce(source, hidden / source.name, like=neighbour)
                _own_alike(hidden / source.name, neighbour)
        _rename(hidden, folder)
    except BaseException:
        shutil.rmtree(hidden)
        raise
    try:
        yield
    except BaseException:
        shutil.rmtree(folder)
        raise


@contextlib.contextmanager
def one_version_less(repository: Path, name: str | None = None) -> Iterator[None]:
    """
    While the block runs, and after it unless it raises, the newest version is hidden: `.5.1f2e3d4c` was `5`.

    Raises ModelNotReady where there is no such model, or the version is its only one, and OSError.
    """
    model = _model(repository, name)
    newest = versions_of(model)[0]
    hidden = _hidden(newest)
    _rename(newest, hidden)
    try:
        versions_of(model)
        yield
    except BaseException:
        _rename(hidden, newest)
        raise


def _model(repository: Path, name: str | None) -> Path:
    """The folder of the model of that name, or of the only one."""
    models = models_in(repository)
    named = [model for model in models if name in (None, model.name)]
    if len(named) != 1:
        told = ", ".join(model.name for model in models) or "none"
        which = "exactly one model, so that NAME= has to say which" if name is None else f"a model {name!a}"
        raise ModelNotReady(f"{repository}: has not {which}; those in it: {told}")
    return named[0]


def _rename(former: Path, latter: Path) -> None:
    """For good, even if the power fails right after."""
    former.rename(latter)
    sync_folder(latter.parent)


def _own_alike(path: Path, neighbour: Path) -> None:
    """Whoever can read the neighbour can read `path`, whatever this process's umask, and nobody else can."""
    status = neighbour.stat()
    if os.geteuid() == 0:
        os.chown(path, status.st_uid, status.st_gid)
    path.chmod(stat.S_IMODE(status.st_mode))


def _hidden(version: Path) -> Path:
    return version.with_name(f".{version.name}.{secrets.token_hex(4)}")


def _numbers_used(model: Path) -> list[int]:
    """Those of hidden versions too."""
    names = [re.match(r"\.?([0-9]+)(\.|$)", each.name) for each in model.iterdir()]
    return [int(name[1]) for name in names if name]
