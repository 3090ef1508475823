"""Installing, going back, and undoing both; the files' contents stand for the artifacts."""

import os
from pathlib import Path

import pytest

from app.artifact_files import ArtifactFiles, put_in_place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return filled(tmp_path / "served", {"churn.joblib": "second", "churn.manifest.json": "about the second"})


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return filled(tmp_path / "new", {"trained.joblib": "third"}) / "trained.joblib"


def filled(folder: Path, contents: dict[str, str]) -> Path:
    folder.mkdir()
    for name, content in contents.items():
        (folder / name).write_text(content)
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def files(folder: Path) -> ArtifactFiles:
    return ArtifactFiles(str(folder / "churn.joblib"))


def test_an_installation_keeps_the_former_pair_and_no_manifest_of_another_artifact(folder: Path, new: Path) -> None:
    with put_in_place(files(folder).installation(new)):
        pass

    assert contents(folder) == {
        "churn.joblib": "third",
        "churn.previous.joblib": "second",
        "churn.previous.manifest.json": "about the second",
    }


def test_the_manifest_beside_the_new_artifact_comes_with_it(folder: Path, new: Path) -> None:
    new.with_suffix(".manifest.json").write_text("about the third")

    with put_in_place(files(folder).installation(new)):
        pass

    assert contents(folder)["churn.manifest.json"] == "about the third"


def test_an_exchange_twice_is_none(folder: Path, new: Path) -> None:
    with put_in_place(files(folder).installation(new)):
        installed = contents(folder)

    with put_in_place(files(folder).exchange()):
        exchanged = contents(folder)
    with put_in_place(files(folder).exchange()):
        again = contents(folder)

    assert (exchanged["churn.joblib"], exchanged["churn.manifest.json"]) == ("second", "about the second")
    assert "churn.previous.manifest.json" not in exchanged
    assert {name: again[name] for name in installed if not name.startswith(".")} == contents(folder)


def test_where_the_block_raises_all_is_as_it_was(folder: Path, new: Path) -> None:
    with put_in_place(files(folder).installation(new)):
        pass
    before, newest = contents(folder), filled(new.parent.parent / "newest", {"x.joblib": "fourth"}) / "x.joblib"

    with pytest.raises(KeyboardInterrupt), put_in_place(files(folder).installation(newest)):
        raise KeyboardInterrupt

    assert contents(folder) == before


def test_the_first_artifact_has_no_previous_one(tmp_path: Path, new: Path) -> None:
    (tmp_path / "empty").mkdir()

    with put_in_place(files(tmp_path / "empty").installation(new)):
        pass

    assert contents(tmp_path / "empty") == {"churn.joblib": "third"}


def test_a_link_stays_a_link(folder: Path, new: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.joblib"
    link.symlink_to(folder / "churn.joblib")

    with put_in_place(ArtifactFiles(str(link)).installation(new)):
        pass

    assert link.is_symlink()
    assert (folder / "churn.joblib").read_text() == "third"


def test_who_has_opened_the_file_reads_the_former_one_to_its_end(folder: Path, new: Path) -> None:
    with (folder / "churn.joblib").open() as reader:
        with put_in_place(files(folder).installation(new)):
            pass

        assert reader.read() == "second"


@pytest.mark.parametrize(("umask", "mode"), [(0o000, 0o644), (0o077, 0o600)])
def test_the_umask_says_who_may_read_it(folder: Path, new: Path, umask: int, mode: int) -> None:
    former = os.umask(umask)
    try:
        with put_in_place(files(folder).installation(new)):
            pass
    finally:
        os.umask(former)

    assert (folder / "churn.joblib").stat().st_mode & 0o777 == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_new_artifact_belongs_to_whom_the_former_one_belonged(folder: Path, new: Path) -> None:
    os.chown(folder / "churn.joblib", 12345, 12345)

    with put_in_place(files(folder).installation(new)):
        pass

    assert (folder / "churn.joblib").stat().st_uid == 12345
