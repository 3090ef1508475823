"""A version more or less in a repository, and both undone where the reload is refused."""

import os
from pathlib import Path

import pytest

from app.errors import ModelNotReady
from app.repository_files import one_more_version, one_version_less


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for version in ("9", "10"):
        folder = tmp_path / "models" / "churn" / version
        folder.mkdir(parents=True)
        (folder / "model.joblib").write_text(version)
    return tmp_path / "models"


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    path = tmp_path / "trained.joblib"
    path.write_text("new")
    path.with_suffix(".manifest.json").write_text("about the new")
    return path


def versions(repository: Path) -> dict[str, list[str]]:
    """The files of each that can be seen."""
    folders = [folder for folder in (repository / "churn").iterdir() if not folder.name.startswith(".")]
    return {folder.name: sorted(path.name for path in folder.iterdir()) for folder in folders}


def access(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_mode, status.st_uid, status.st_gid


def test_one_more_version_has_the_next_number_and_its_manifest(repository: Path, artifact: Path) -> None:
    with one_more_version(repository, artifact):
        assert versions(repository)["11"] == ["trained.joblib", "trained.manifest.json"]

    assert versions(repository).keys() == {"9", "10", "11"}
    assert (repository / "churn" / "11" / "trained.joblib").read_text() == "new"


def test_one_version_less_hides_the_newest(repository: Path) -> None:
    with one_version_less(repository):
        assert versions(repository).keys() == {"9"}

    assert versions(repository).keys() == {"9"}


def test_a_number_is_never_used_twice(repository: Path, artifact: Path) -> None:
    with one_version_less(repository):
        pass
    with one_more_version(repository, artifact):
        pass

    assert versions(repository).keys() == {"9", "11"}


def test_both_are_undone_where_the_block_raises(repository: Path, artifact: Path) -> None:
    before = {path: path.stat().st_ino for path in repository.rglob("*")}

    for change in (one_more_version(repository, artifact), one_version_less(repository)):
        with pytest.raises(KeyboardInterrupt), change:
            raise KeyboardInterrupt

    assert {path: path.stat().st_ino for path in repository.rglob("*")} == before


def test_the_only_version_is_not_taken_away(repository: Path) -> None:
    with one_version_less(repository):
        pass

    with pytest.raises(ModelNotReady) as refused, one_version_less(repository):
        pass

    assert "no version" in refused.value.reason
    assert versions(repository).keys() == {"9"}


def test_a_version_that_is_no_number_has_no_next_one(repository: Path, artifact: Path) -> None:
    for version in ("9", "10"):
        (repository / "churn" / version).rename(repository / "churn" / f"v{version}")

    with pytest.raises(ModelNotReady) as refused, one_more_version(repository, artifact):
        pass

    assert "is not a number" in refused.value.reason


def test_a_link_to_an_artifact_brings_the_manifest_of_what_it_leads_to(repository: Path, artifact: Path) -> None:
    link = artifact.with_name("link.joblib")
    link.symlink_to(artifact)

    with one_more_version(repository, link):
        assert versions(repository)["11"] == ["trained.joblib", "trained.manifest.json"]


def test_who_may_read_the_newest_version_may_read_the_next_whatever_the_umask(repository: Path, artifact: Path) -> None:
    newest = repository / "churn" / "10"
    newest.chmod(0o750)
    (newest / "model.joblib").chmod(0o640)
    if os.geteuid() == 0:
        for path in (newest, newest / "model.joblib"):
            os.chown(path, 54_321, 54_322)

    former = os.umask(0o077)
    try:
        with one_more_version(repository, artifact):
            pass
    finally:
        os.umask(former)

    assert access(newest.with_name("11")) == access(newest)
    for name in ("trained.joblib", "trained.manifest.json"):
        assert access(newest.with_name("11") / name) == access(newest / "model.joblib")


def test_nothing_stays_of_a_version_that_cannot_be_copied(repository: Path, artifact: Path) -> None:
    before = sorted(repository.rglob("*"))
    artifact.with_suffix(".manifest.json").unlink()
    # A folder cannot be copied as a file is.
    artifact.with_suffix(".manifest.json").mkdir()

    with pytest.raises(IsADirectoryError), one_more_version(repository, artifact):
        pass

    assert sorted(repository.rglob("*")) == before


@pytest.fixture
def another(repository: Path) -> Path:
    folder = repository / "fraud" / "1"
    folder.mkdir(parents=True)
    (folder / "model.joblib").write_text("1")
    return folder.parent


def test_of_several_models_the_named_one_is_changed(repository: Path, another: Path, artifact: Path) -> None:
    with one_more_version(repository, artifact, "fraud"):
        pass

    assert sorted(folder.name for folder in another.iterdir()) == ["1", "2"]
    assert versions(repository).keys() == {"9", "10"}

    with one_version_less(repository, "churn"):
        assert versions(repository).keys() == {"9"}
        assert (another / "2").exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (None, "has not exactly one model, so that NAME= has to say which; those in it: churn, fraud"),
        ("chrun", "has not a model 'chrun'; those in it: churn, fraud"),
    ],
)
def test_of_several_models_one_has_to_be_named(
    repository: Path, another: Path, artifact: Path, name: str | None, reason: str
) -> None:
    for change in (one_more_version(repository, artifact, name), one_version_less(repository, name)):
        with pytest.raises(ModelNotReady) as refused, change:
            pass
        assert refused.value.reason == f"{repository}: {reason}"
