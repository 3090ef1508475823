import grp
import hashlib
import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.errors import ModelNotReady
from app.runtimes.artifact import Artifact, Location, manifest_path, read_artifact

DATA = b"any bytes: nothing in them is run"
SHA256 = hashlib.sha256(DATA).hexdigest()
NOBODY_IN_PARTICULAR = 54_321
only_root_gives_away = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    # In a folder of its own, so that a test can change the parent's mode.
    path = tmp_path / "models" / "churn.joblib"
    path.parent.mkdir(mode=0o755)
    path.write_bytes(DATA)
    path.chmod(0o644)
    return path


@pytest.fixture
def shared_group() -> int:
    """A group that may have members other than this user."""
    if os.geteuid() == 0:
        return NOBODY_IN_PARTICULAR
    others = [group for group in os.getgroups() if group != os.getegid()]
    if not others:
        pytest.skip("this user is in no second group")
    return others[0]


def read(path: Path, *, pin: str | None = None, max_bytes: int = 1_000) -> Artifact:
    return read_artifact(Location(path), pin=pin, max_bytes=max_bytes)


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(ModelNotReady) as caught:
        read(path, **options)
    return caught.value.reason


def write_manifest(path: Path, document: Any) -> None:
    manifest_path(path).write_text(document if isinstance(document, str) else json.dumps(document))


def test_an_artifact_is_its_bytes_and_their_sha256(artifact: Path) -> None:
    found = read(artifact)

    assert (found.path, found.data, found.sha256, found.manifest) == (artifact, DATA, SHA256, None)


def test_a_symbolic_link_is_followed_and_the_manifest_lies_beside_its_target(artifact: Path, tmp_path: Path) -> None:
    write_manifest(artifact, {"sha256": SHA256, "name": "churn"})
    link = tmp_path / "current.joblib"
    link.symlink_to(artifact)

    found = read(link)

    assert (found.path, found.data) == (link, DATA)
    assert found.manifest == {"sha256": SHA256, "name": "churn"}


def test_a_file_replaced_by_a_link_after_the_checks_is_not_followed(
    artifact: Path, tmp_path: Path, listen: Callable[..., None]
) -> None:
    elsewhere = tmp_path / "elsewhere.joblib"
    elsewhere.write_bytes(b"other bytes")

    def swap(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and args[0] == str(artifact) and not artifact.is_symlink():
            artifact.unlink()
            artifact.symlink_to(elsewhere)

    listen(swap)

    reason = refusal(artifact)

    assert artifact.is_symlink()
    assert "symbolic links" in reason


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "churn.joblib"
    link.symlink_to(link)

    assert refusal(link).startswith(f"{link}: ")


def test_a_dangling_link_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "churn.joblib"
    link.symlink_to(tmp_path / "gone.joblib")

    assert refusal(link) == f"{link}: No such file or directory"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gone.joblib"

    assert refusal(path) == f"{path}: No such file or directory"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "churn.joblib"
    path.mkdir()

    assert refusal(path).startswith(f"{path}: ")


def test_a_refused_directory_leaves_no_open_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "churn.joblib"
    path.mkdir()
    before = os.listdir("/proc/self/fd")

    refusal(path)

    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_pipe_is_refused_at_once(tmp_path: Path, within_seconds: None) -> None:
    path = tmp_path / "churn.joblib"
    os.mkfifo(path, 0o600)

    assert refusal(path) == f"{path}: is not a regular file"


def test_a_file_of_exactly_the_allowed_size_is_read(artifact: Path) -> None:
    assert read(artifact, max_bytes=len(DATA)).data == DATA


def test_a_file_of_one_byte_too_many_is_refused(artifact: Path) -> None:
    reason = refusal(artifact, max_bytes=len(DATA) - 1)

    assert reason == f"{artifact}: has {len(DATA)} bytes, more than the {len(DATA) - 1} allowed"


def test_a_file_that_everyone_may_write_is_refused(artifact: Path) -> None:
    artifact.chmod(0o646)

    assert refusal(artifact) == f"{artifact}: is writable by other users (-rw-r--rw-); chmod go-w makes it safe"


def test_a_file_that_a_shared_group_may_write_is_refused(artifact: Path, shared_group: int) -> None:
    os.chown(artifact, -1, shared_group)
    artifact.chmod(0o664)

    assert refusal(artifact) == f"{artifact}: is writable by other users (-rw-rw-r--); chmod go-w makes it safe"


def test_a_folder_that_everyone_may_write_is_refused(artifact: Path) -> None:
    artifact.parent.chmod(0o757)

    assert refusal(artifact).startswith(f"{artifact.parent}: is writable by other users")


def test_a_folder_that_a_shared_group_may_write_is_refused(artifact: Path, shared_group: int) -> None:
    os.chown(artifact.parent, -1, shared_group)
    artifact.parent.chmod(0o775)

    assert refusal(artifact).startswith(f"{artifact.parent}: is writable by other users")


def test_a_folder_further_up_that_everyone_may_write_is_refused(artifact: Path) -> None:
    artifact.parent.parent.chmod(0o777)

    assert refusal(artifact).startswith(f"{artifact.parent.parent}: is writable by other users")


def test_a_sticky_folder_is_tolerated(artifact: Path) -> None:
    artifact.parent.chmod(0o1777)

    assert read(artifact).data == DATA


def test_a_sticky_bit_on_the_file_itself_excuses_nothing(artifact: Path) -> None:
    artifact.chmod(0o1666)

    assert "is writable by other users" in refusal(artifact)


def test_the_owner_s_private_group_may_write(artifact: Path) -> None:
    user = pwd.getpwuid(os.geteuid())
    group = grp.getgrgid(user.pw_gid)
    if group.gr_name != user.pw_name or set(group.gr_mem) - {user.pw_name}:
        pytest.skip("this user has no group of its own")
    os.chown(artifact, -1, user.pw_gid)
    artifact.chmod(0o664)
    artifact.parent.chmod(0o775)

    assert read(artifact).data == DATA


@only_root_gives_away
@pytest.mark.parametrize("which", ["file", "folder"])
def test_what_belongs_to_another_user_is_refused(artifact: Path, which: str) -> None:
    place = artifact if which == "file" else artifact.parent
    os.chown(place, NOBODY_IN_PARTICULAR, 0)

    assert refusal(artifact) == f"{place}: belongs to another user, who could replace the model"


def test_a_link_in_a_safe_folder_to_an_unsafe_one_is_refused(artifact: Path, tmp_path: Path) -> None:
    artifact.parent.chmod(0o777)
    link = tmp_path / "current.joblib"
    link.symlink_to(artifact)

    assert refusal(link).startswith(f"{artifact.parent}: is writable by other users")


@pytest.mark.parametrize("pin", [SHA256, SHA256.upper()])
def test_a_pinned_digest_that_fits_is_accepted(artifact: Path, pin: str) -> None:
    assert read(artifact, pin=pin).sha256 == SHA256


def test_another_digest_than_the_pinned_one_is_refused(artifact: Path) -> None:
    assert refusal(artifact, pin="0" * 64) == f"{artifact}: its sha256 is {SHA256}, not the pinned one"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{SHA256}  churn.joblib\n", id="text mode"),
        pytest.param(f"{SHA256} *churn.joblib\n", id="binary marker"),
        pytest.param(f"{SHA256}  ./models/churn.joblib\n", id="with a folder"),
        pytest.param(
            f"{'0' * 64}  other.joblib\n\n{SHA256}  churn.joblib\n{'1' * 64}  third.joblib\n", id="many lines"
        ),
        pytest.param(f"{SHA256.upper()}  churn.joblib", id="upper case, no newline"),
    ],
)
def test_a_pin_may_be_a_file_of_sha256sum(artifact: Path, tmp_path: Path, text: str) -> None:
    pin = tmp_path / "SHA256SUMS"
    pin.write_text(text)

    assert read(artifact, pin=str(pin)).sha256 == SHA256


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{SHA256}  other.joblib\n", id="another name"),
        pytest.param(f"{SHA256}\n", id="no name"),
        pytest.param("", id="empty"),
        pytest.param("churn.joblib\n", id="no digest"),
        pytest.param(f"{SHA256[:-1]}  churn.joblib\n", id="short digest"),
        pytest.param(f"{SHA256}  churn.joblib\n{SHA256}  churn.joblib\n", id="twice"),
    ],
)
def test_a_pin_file_without_exactly_one_line_for_the_artifact_is_refused(
    artifact: Path, tmp_path: Path, text: str
) -> None:
    pin = tmp_path / "SHA256SUMS"
    pin.write_text(text)

    assert refusal(artifact, pin=str(pin)) == f"{pin}: has not exactly one line of sha256sum for churn.joblib"


def test_a_pin_file_is_read_again_at_each_load(artifact: Path, tmp_path: Path) -> None:
    pin = tmp_path / "SHA256SUMS"
    pin.write_text(f"{SHA256}  churn.joblib\n")
    read(artifact, pin=str(pin))
    pin.write_text(f"{'0' * 64}  churn.joblib\n")

    assert "not the pinned one" in refusal(artifact, pin=str(pin))


def test_a_pin_file_with_another_digest_is_refused(artifact: Path, tmp_path: Path) -> None:
    pin = tmp_path / "SHA256SUMS"
    pin.write_text(f"{'0' * 64}  churn.joblib\n")

    assert refusal(artifact, pin=str(pin)) == f"{artifact}: its sha256 is {SHA256}, not the pinned one"


def test_a_pin_that_is_no_digest_and_no_readable_file_is_refused(artifact: Path, tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")

    reasons = {refusal(artifact, pin=pin) for pin in (str(tmp_path / "gone"), str(tmp_path), str(binary), "abc", "")}

    assert reasons == {"the pin is neither a sha256 nor a file that can be read"}


def test_a_manifest_that_belongs_to_the_artifact_is_read(artifact: Path) -> None:
    write_manifest(artifact, {"sha256": SHA256, "name": "churn"})

    assert read(artifact).manifest == {"sha256": SHA256, "name": "churn"}


def test_the_manifest_of_another_artifact_is_refused(artifact: Path) -> None:
    write_manifest(artifact, {"sha256": "0" * 64})

    reason = refusal(artifact)

    assert reason == f"{manifest_path(artifact)}: is the manifest of another artifact (its sha256 differs)"


@pytest.mark.parametrize("garbage", ["", "{", "[]", "{}", '"text"', "1", "null", "\x00"])
def test_what_cannot_be_read_as_a_manifest_is_refused(artifact: Path, garbage: str) -> None:
    write_manifest(artifact, garbage)

    assert refusal(artifact).startswith(f"{manifest_path(artifact)}: cannot be read as a manifest")


def test_a_manifest_that_is_not_utf8_is_refused(artifact: Path) -> None:
    manifest_path(artifact).write_bytes(b'{"name": "\xff"}')

    assert refusal(artifact).startswith(f"{manifest_path(artifact)}: cannot be read as a manifest")


def test_a_directory_in_the_manifest_s_place_is_refused(artifact: Path) -> None:
    manifest_path(artifact).mkdir()

    assert refusal(artifact).startswith(f"{manifest_path(artifact)}: ")


def test_a_pipe_in_the_manifest_s_place_is_refused_at_once(artifact: Path, within_seconds: None) -> None:
    os.mkfifo(manifest_path(artifact), 0o600)

    assert str(manifest_path(artifact)) in refusal(artifact)


def test_a_manifest_that_everyone_may_write_is_refused(artifact: Path) -> None:
    write_manifest(artifact, {"sha256": SHA256, "name": "churn"})
    manifest_path(artifact).chmod(0o666)

    assert "is writable by other users" in refusal(artifact)


@pytest.mark.parametrize("label", ["name", "version"])
def test_a_name_or_version_that_cannot_be_printed_is_refused(artifact: Path, label: str) -> None:
    write_manifest(artifact, {"sha256": SHA256, label: "1\ud800\n"})

    assert "cannot be printed" in refusal(artifact)
