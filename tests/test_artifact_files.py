"""Installing, going back, and undoing both; the files' contents stand for the artifacts."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.artifact_files import ArtifactFiles, put_in_place
from app.runtimes.artifact import Location, read_artifact
from app.settings import ROOT


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


CUT_OFF = """
import os, sys
from pathlib import Path
from app.artifact_files import ArtifactFiles, put_in_place

calls = int(sys.argv[3])

def count(event, arguments):
    global calls
    if event in ("os.rename", "os.remove"):
        calls -= 1
        if calls == 0:
            os._exit(9)

files = ArtifactFiles(sys.argv[1])
with put_in_place(files.installation(Path(sys.argv[2]))):
    sys.addaudithook(count)
    with put_in_place(files.exchange()):
        os._exit(0)
"""


def test_wherever_an_exchange_is_cut_off_no_artifact_has_the_manifest_of_another(tmp_path: Path) -> None:
    statuses = []
    for calls in range(1, 20):
        folder = filled(tmp_path / f"served{calls}", {"churn.joblib": "second"})
        new = filled(tmp_path / f"new{calls}", {"trained.joblib": "third"}) / "trained.joblib"
        for artifact in (folder / "churn.joblib", new):
            sha256 = hashlib.sha256(artifact.read_bytes()).hexdigest()
            artifact.with_suffix(".manifest.json").write_text(f'{{"sha256": "{sha256}"}}')
        command = [sys.executable, "-c", CUT_OFF, str(folder / "churn.joblib"), str(new), str(calls)]
        statuses.append(subprocess.run(command, cwd=ROOT, timeout=60).returncode)

        for name in ("churn.joblib", "churn.previous.joblib"):
            read_artifact(Location(folder / name), pin=None, max_bytes=100)

        if statuses[-1] == 0:
            break
    assert statuses == [9] * (len(statuses) - 1) + [0]
    assert len(statuses) > 4
