"""Which version of a repository is the newest, and what is no repository."""

import hashlib
import os
from pathlib import Path

import joblib
import pytest
from sklearn.linear_model import LinearRegression

from app.errors import ModelNotReady, Refusal
from app.runtimes import models_in, read_model, versions_in
from app.runtimes.artifact import Artifact
from app.runtimes.base import Loading
from app.runtimes.repository import version_key


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir(mode=0o755)
    return folder


def add(repository: Path, version: str, name: str = "churn", file: str = "model.joblib") -> Path:
    path = repository / name / version / file
    path.parent.mkdir(parents=True, exist_ok=True)
    joblib.dump(LinearRegression().fit([[0.0], [float(len(version))]], [0.0, 1.0]), path)
    return path


def newest(repository: Path, pin: str | None = None) -> Artifact:
    return read_model(versions_in(repository, 1)[0], Loading(pin))


def refused(repository: Path) -> str:
    with pytest.raises(ModelNotReady) as caught:
        newest(repository)
    assert caught.value.refusal is Refusal.MISSING
    return caught.value.reason


def test_the_artifact_may_be_of_any_format(repository: Path) -> None:
    path = add(repository, "1", file="model.skops")

    assert versions_in(repository, 1)[0].path == path


@pytest.mark.parametrize(
    "older_first",
    [
        ["1", "2"],
        ["9", "10"],
        ["v1.9", "v1.10"],
        ["1.9.9", "1.10.0"],
        ["2026-01-31", "2026-02-01"],
        ["latest", "1"],
        ["1²", "2"],
    ],
)
def test_versions_are_compared_by_their_numbers(repository: Path, older_first: list[str]) -> None:
    for version in older_first:
        add(repository, version)

    artifact = newest(repository)

    assert (artifact.name, artifact.version) == ("churn", older_first[-1])
    assert artifact.path.parent.name == older_first[-1]


def test_no_two_versions_are_of_the_same_age() -> None:
    assert version_key("01") != version_key("1")


def test_what_is_hidden_and_what_is_no_folder_is_passed_over(repository: Path) -> None:
    add(repository, "1")
    add(repository, ".2")
    add(repository, "7", name=".staged")
    (repository / "README").write_text("of the repository")
    (repository / "churn" / "9").write_text("a file")
    (repository / "churn" / "1" / "notes.txt").write_text("no artifact")

    assert newest(repository).version == "1"


def test_each_model_has_its_newest_versions_the_newest_first(repository: Path) -> None:
    for version in ("1", "2", "10", "9"):
        add(repository, version)
    add(repository, "7", name="fraud", file="fraud.pkl")

    found = versions_in(repository, 3)

    assert [(each.name, each.version) for each in found] == [
        ("churn", "10"), ("churn", "9"), ("churn", "2"), ("fraud", "7")
    ]  # fmt: skip
    assert [each.path.name for each in found] == ["model.joblib"] * 3 + ["fraud.pkl"]
    assert len(versions_in(repository, 1)) == 2


NO_ADDRESS = "its name is part of an address, and may have letters, digits and _.~+@=,- only"


@pytest.mark.parametrize(
    ("stray", "reason"),
    [
        ("fraud", "has no version"),
        ("scripts/helpers", "has no artifact in any version"),
        ("a b/1", NO_ADDRESS),
    ],
)
def test_a_folder_that_is_no_model_is_passed_over_with_its_reason(
    repository: Path, stray: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = add(repository, "1")
    (repository / stray).mkdir(parents=True)

    assert [each.path for each in versions_in(repository, 3)] == [path]
    assert models_in(repository) == [repository / "churn"]
    told = repository / Path(stray).parts[0]
    assert [record.msg["reason"] for record in caplog.records] == [f"{told}: {reason}"]  # type: ignore[index]


def test_a_name_that_cannot_be_printed_beside_a_model_is_passed_over(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = add(repository, "1")
    os.mkdir(bytes(repository) + b"/9\xff")

    assert [each.path for each in versions_in(repository, 3)] == [path]
    assert len(caplog.records) == 1


def test_what_cannot_be_looked_at_may_have_been_a_model_and_is_refused(repository: Path) -> None:
    add(repository, "1")
    (repository / "gone").symlink_to(repository / "nowhere")

    assert refused(repository) == f"'{repository / 'gone'}': No such file or directory"


@pytest.mark.parametrize("place", ["", "churn"])
def test_what_is_hidden_or_the_file_system_s_own_is_passed_over_without_a_word(
    repository: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = add(repository, "1")
    for name in (".git", "lost+found"):
        (repository / place / name / "objects").mkdir(parents=True)

    assert [each.path for each in versions_in(repository, 3)] == [path]
    assert caplog.records == []


def test_where_no_folder_is_a_model_the_first_reason_is_told(repository: Path) -> None:
    (repository / "churn").mkdir()
    (repository / "fraud").mkdir()

    assert refused(repository) == f"{repository / 'churn'}: has no version"


def test_an_older_version_without_an_artifact_is_passed_over_and_the_newest_is_not(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = add(repository, "2")
    (repository / "churn" / "1").mkdir()

    assert [each.path for each in versions_in(repository, 3)] == [path]
    assert "older version not loaded" in caplog.text
    (repository / "churn" / "3").mkdir()
    assert "3: has no artifact" in refused(repository)


@pytest.mark.parametrize("name", ["a b", "{name}", "50%", "what?", "a#b"])
def test_a_name_that_is_no_part_of_an_address_is_refused(repository: Path, name: str) -> None:
    add(repository, "1")
    add(repository, name)

    with pytest.raises(ModelNotReady) as caught:
        versions_in(repository, 3)
    assert caught.value.reason == f"{repository / 'churn' / name}: {NO_ADDRESS}"


def test_what_is_no_repository_is_refused(repository: Path) -> None:
    assert "no model" in refused(repository)
    assert "No such file" in refused(repository / "missing")
    (repository / "churn").mkdir()
    assert "no version" in refused(repository)
    (repository / "churn" / "1").mkdir()
    assert "no artifact" in refused(repository)
    add(repository, "1")
    add(repository, "1", file="another.joblib")
    assert "several artifacts" in refused(repository)


def test_a_pin_file_names_each_version_by_its_path(repository: Path, tmp_path: Path) -> None:
    paths = [add(repository, "1"), add(repository, "22")]
    pin = tmp_path / "SHA256SUMS"
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    lines = [f"{digest}  {path.relative_to(repository)}" for digest, path in zip(digests, paths, strict=True)]
    pin.write_text("\n".join(lines))

    assert newest(repository, pin=str(pin)).sha256 == digests[1]

    pin.write_text("\n".join(reversed([lines[0], lines[1].replace(digests[1], digests[0])])))
    with pytest.raises(ModelNotReady) as caught:
        newest(repository, pin=str(pin))
    assert caught.value.refusal is Refusal.UNPINNED


def test_two_versions_of_the_same_bytes_are_not_the_same_model(repository: Path) -> None:
    first = add(repository, "1")
    former = newest(repository)
    add(repository, "2").write_bytes(first.read_bytes())
    latter = newest(repository)

    assert former.sha256 == latter.sha256
    assert former.identity != latter.identity


def test_a_name_that_cannot_be_printed_is_refused(repository: Path) -> None:
    add(repository, "1")
    os.mkdir(bytes(repository / "churn") + b"/9\xff")

    with pytest.raises(ModelNotReady) as caught:
        newest(repository)

    assert "cannot be printed" in caught.value.reason
    assert caught.value.reason.isprintable()


def test_a_link_that_leads_nowhere_is_named(repository: Path) -> None:
    add(repository, "1")
    (repository / "churn" / "2").symlink_to(repository / "gone")

    assert "2': No such file" in refused(repository)
