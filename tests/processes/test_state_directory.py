"""The folder of a running server's state."""

import os
import subprocess
import sys
from pathlib import Path

from app.processes.state_directory import remove_abandoned

MAKE = "from app.processes.state_directory import state_directory; print(state_directory(), flush=True); input()"


def arbiter(runtime_directory: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, "RUNTIME_DIRECTORY": str(runtime_directory)}
    return subprocess.Popen(
        [sys.executable, "-c", MAKE], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def directory_of(process: "subprocess.Popen[str]") -> Path:
    assert process.stdout is not None
    return Path(process.stdout.readline().strip())


def test_it_is_empty_private_and_removed_at_the_end(tmp_path: Path) -> None:
    with arbiter(tmp_path) as process:
        directory = directory_of(process)
        mode, content = directory.stat().st_mode & 0o777, list(directory.iterdir())
        process.communicate("\n")

    assert (mode, content) == (0o700, [])
    assert not directory.exists()


def test_a_killed_arbiters_folder_is_removed_by_the_next_and_a_live_ones_is_not(tmp_path: Path) -> None:
    with arbiter(tmp_path) as live, arbiter(tmp_path) as killed:
        kept, abandoned = directory_of(live), directory_of(killed)
        killed.kill()
        killed.wait()
        assert abandoned.exists()

        with arbiter(tmp_path) as third:
            fresh = directory_of(third)
            remains = sorted(tmp_path.iterdir())
            third.communicate("\n")
        live.communicate("\n")

    assert remains == sorted([kept, fresh])


def test_a_folder_of_another_name_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "forkcast-0-x").mkdir()
    (tmp_path / "other").mkdir()

    remove_abandoned(tmp_path, "forkcast-0-")

    assert [path.name for path in tmp_path.iterdir()] == ["other"]
