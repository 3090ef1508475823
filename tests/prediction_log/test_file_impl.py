"""Files of JSON lines: their names, their rotation, and what others and full disks do to them."""

import asyncio
import contextlib
import json
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.prediction_log.file_impl import FileStore
from tests.prediction_log.made import counted, documents, keep, logging_to, since
from tests.prediction_log.places import files
from tests.waiting import until

LARGE = 100 * 2**20
DISK_BYTES = 64 * 2**10
Room = Callable[[], contextlib.AbstractContextManager[None]]


def store_in(folder: Path, *, max_bytes: int = LARGE, kept: int = 3) -> FileStore:
    return FileStore(folder / "predictions.jsonl", max_bytes=max_bytes, files=kept)


def write(store: FileStore, *names: str) -> None:
    """A batch of its own for each."""

    async def main() -> None:
        for name in names:
            await store.write(documents(name))

    asyncio.run(main())


def ids(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


@pytest.mark.parametrize(("path", "name"), [("predictions.jsonl", "predictions.7.jsonl"), ("p", "p.7.jsonl"),
                                            ("v1.2.log", "v1.2.7.log")])  # fmt: skip
def test_each_worker_has_a_file_of_its_own(tmp_path: Path, path: str, name: str) -> None:
    write(FileStore(tmp_path / path, max_bytes=LARGE, files=3, slot=lambda: "7"), "a")

    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_file_that_would_become_too_large_is_numbered_and_the_oldest_goes(tmp_path: Path) -> None:
    one_line = len(documents("0")[0].line)

    write(store_in(tmp_path, max_bytes=2 * one_line, kept=3), *"0123456789")

    assert {each.name: ids(each) for each in tmp_path.iterdir()} == {
        "predictions.0.jsonl": ["8", "9"],
        "predictions.0.jsonl.1": ["6", "7"],
        "predictions.0.jsonl.2": ["4", "5"],
        "predictions.0.jsonl.3": ["2", "3"],
    }
    assert max(each.stat().st_size for each in tmp_path.iterdir()) <= 2 * one_line


def test_a_batch_larger_than_a_file_is_a_file(tmp_path: Path) -> None:
    write(store_in(tmp_path, max_bytes=10), *"ab")

    assert ids(tmp_path / "predictions.0.jsonl") == ["b"]
    assert ids(tmp_path / "predictions.0.jsonl.1") == ["a"]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("torn", [b'{"id":"x","ti', b"\xff", b"x" * 200_000])
@pytest.mark.parametrize("whole", [0, 3])
def test_what_a_killed_worker_began_to_write_spoils_nothing(tmp_path: Path, torn: bytes, whole: int) -> None:
    former = store_in(tmp_path)
    write(former, *"abc"[:whole])
    asyncio.run(former.close())
    path = tmp_path / "predictions.0.jsonl"
    with path.open("ab") as file:
        file.write(torn)

    write(store_in(tmp_path), "d")

    assert ids(path) == [*"abc"[:whole], "d"]


def test_a_file_that_a_rotation_of_others_moves_or_empties_is_made_anew_or_written_on(tmp_path: Path) -> None:
    store, path = store_in(tmp_path), tmp_path / "predictions.0.jsonl"
    write(store, *"ab")

    path.rename(tmp_path / "moved")
    write(store, "c")
    assert (ids(tmp_path / "moved"), ids(path)) == (["a", "b"], ["c"])

    os.truncate(path, 0)
    write(store, "d")
    assert ids(path) == ["d"]

    path.unlink()
    write(store, "e")
    assert ids(path) == ["e"]


def test_a_folder_that_is_gone_is_made_anew(tmp_path: Path) -> None:
    store = store_in(tmp_path / "logs")
    write(store, "a")
    (tmp_path / "logs/predictions.0.jsonl").unlink()
    (tmp_path / "logs").rmdir()

    write(store, "b")

    assert ids(tmp_path / "logs/predictions.0.jsonl") == ["b"]


def test_two_servers_do_not_write_to_one_file(tmp_path: Path) -> None:
    first, second = store_in(tmp_path), store_in(tmp_path)
    write(first, "a")

    with pytest.raises(BlockingIOError, match="Another server"):
        write(second, "b")
    asyncio.run(first.close())
    write(second, "c")

    assert ids(tmp_path / "predictions.0.jsonl") == ["a", "c"]


def test_what_is_logged_is_not_for_everybody_to_read(tmp_path: Path) -> None:
    write(store_in(tmp_path), "a")

    assert (tmp_path / "predictions.0.jsonl").stat().st_mode & 0o007 == 0


@contextlib.contextmanager
def limited_files() -> Iterator[None]:
    """No file of this process may grow beyond so many bytes."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (DISK_BYTES, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


@pytest.fixture(params=["full disk", "limited files"])
def full(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Room]]:
    """A folder in which there is room for so many bytes, while the context lasts."""
    if request.param == "limited files":
        yield tmp_path, limited_files
        return
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES + 2**18},mode=700", "tmpfs", str(tmp_path)]
    if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root mounts a small disk, where it may at all")

    @contextlib.contextmanager
    def filled() -> Iterator[None]:
        filling = tmp_path / "filling"
        filling.write_bytes(bytes(2**18))
        yield
        filling.unlink()

    yield tmp_path, filled
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_when_there_is_no_room_whole_lines_are_kept_and_all_others_come_when_there_is_again(
    full: tuple[Path, Room], caplog: pytest.LogCaptureFixture
) -> None:
    folder, room_for_so_many = full
    names = [f"{number:04}" for number in range(600)]
    before = counted()

    async def main() -> None:
        store = store_in(folder)
        async with asyncio.timeout(30), logging_to(store, flush_seconds=0.01) as log:
            with room_for_so_many():
                await keep(log, *names)
                await until(lambda: "cannot be written" in caplog.text)
                lines = store.path.read_bytes()
                assert 0 < len(lines) <= DISK_BYTES
                assert lines.endswith(b"\n")

    asyncio.run(main())

    assert [each["instances"] for each in files(folder).read()] == [[name] for name in names]
    assert since(before) == {"written": len(names)}
    assert caplog.text.count("cannot be written") == 1
