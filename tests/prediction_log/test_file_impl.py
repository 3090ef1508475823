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
    return FileStore(folder / "predictions.jsonl", max_bytes=max_bytes, files=kept, slot=lambda: "0")


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


def test_processes_without_a_slot_each_take_a_file_that_nobody_else_writes_to(tmp_path: Path) -> None:
    async def main() -> None:
        first, second, third = (FileStore(tmp_path / "p.jsonl", max_bytes=LARGE, files=3) for _ in range(3))
        await first.write(documents("a"))
        await second.write(documents("b"))
        await first.close()
        await third.write(documents("c"))
        await second.write(documents("d"))

    asyncio.run(main())

    written = {each.name: ids(each) for each in tmp_path.iterdir()}
    assert written == {"p.alone-1.jsonl": ["a", "c"], "p.alone-2.jsonl": ["b", "d"]}


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


def test_where_a_number_is_free_nothing_goes(tmp_path: Path) -> None:
    store = store_in(tmp_path, max_bytes=10, kept=3)
    write(store, *"abcd")
    (tmp_path / "predictions.0.jsonl.1").unlink()

    write(store, "e")

    assert {each.name: ids(each) for each in tmp_path.iterdir()} == {
        "predictions.0.jsonl": ["e"],
        "predictions.0.jsonl.1": ["d"],
        "predictions.0.jsonl.2": ["b"],
        "predictions.0.jsonl.3": ["a"],
    }


def test_where_a_folder_is_in_the_way_the_file_grows_on_and_it_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "predictions.0.jsonl.2/kept").mkdir(parents=True)
    store = store_in(tmp_path, max_bytes=10, kept=2)

    write(store, *"abcd")

    assert ids(tmp_path / "predictions.0.jsonl.1") == ["a"]
    assert ids(tmp_path / "predictions.0.jsonl") == ["b", "c", "d"]
    assert caplog.text.count("grows on") == 1

    (tmp_path / "predictions.0.jsonl.2/kept").rmdir()
    (tmp_path / "predictions.0.jsonl.2").rmdir()
    write(store, "e")
    assert ids(tmp_path / "predictions.0.jsonl.1") == ["b", "c", "d"]
    assert ids(tmp_path / "predictions.0.jsonl") == ["e"]


def test_a_file_that_cannot_be_moved_costs_no_more_than_the_oldest(tmp_path: Path) -> None:
    store, path = store_in(tmp_path, max_bytes=10, kept=3), tmp_path / "predictions.0.jsonl"
    write(store, *"abcd")
    if os.geteuid() or subprocess.run(["mount", "--bind", path, path], capture_output=True).returncode:
        pytest.skip("only root mounts a file, where it may at all")
    try:
        write(store, *"efg")

        assert ids(path) == [*"defg"]
        assert [ids(each) for each in sorted(tmp_path.glob("*.jsonl.*"))] == [["c"], ["b"]]
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


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
