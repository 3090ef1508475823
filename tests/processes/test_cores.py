"""Cores and memory, from made-up files."""

import os
from pathlib import Path

import pytest

from app.processes.cores import usable_cores, usable_memory


@pytest.fixture
def machine(tmp_path: Path) -> tuple[Path, Path]:
    """A cgroup v2 tree and a /proc of a process in `/service/unit`."""
    cgroup, proc = tmp_path / "cgroup", tmp_path / "proc"
    (cgroup / "service/unit").mkdir(parents=True)
    (proc / "self").mkdir(parents=True)
    (proc / "self/cgroup").write_text("0::/service/unit\n")
    (proc / "meminfo").write_text("MemTotal:        8388608 kB\nMemFree: 1 kB\n")
    return cgroup, proc


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("1600000 100000", 8)],
)
def test_the_quota_holds_the_affinity_down(machine: tuple[Path, Path], quota: str, cores: int) -> None:
    cgroup, proc = machine
    (cgroup / "service/unit/cpu.max").write_text(f"{quota}\n")

    assert usable_cores(cgroup=cgroup, proc=proc, affinity=8) == cores


def test_the_least_quota_on_the_way_up_counts(machine: tuple[Path, Path]) -> None:
    cgroup, proc = machine
    (cgroup / "service/unit/cpu.max").write_text("400000 100000\n")
    (cgroup / "service/cpu.max").write_text("300000 100000\n")

    assert usable_cores(cgroup=cgroup, proc=proc, affinity=8) == 3


@pytest.mark.parametrize("content", ["", "garbage", "max", "1 2 3"])
def test_a_file_that_says_nothing_leaves_the_affinity(machine: tuple[Path, Path], content: str) -> None:
    cgroup, proc = machine
    (cgroup / "service/unit/cpu.max").write_text(content)

    assert usable_cores(cgroup=cgroup, proc=proc, affinity=4) == 4


def test_without_cgroups_the_affinity_counts(tmp_path: Path) -> None:
    assert usable_cores(cgroup=tmp_path, proc=tmp_path, affinity=5) == 5


def test_a_container_sees_its_own_quota_at_the_root(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self/cgroup").write_text("0::/\n")
    (tmp_path / "cpu.max").write_text("100000 100000\n")

    assert usable_cores(cgroup=tmp_path, proc=tmp_path, affinity=5) == 1


def test_this_machine_has_no_more_cores_than_its_affinity() -> None:
    assert 1 <= usable_cores() <= len(os.sched_getaffinity(0))


def test_the_memory_limit_holds_the_machines_memory_down(machine: tuple[Path, Path]) -> None:
    cgroup, proc = machine

    unlimited = usable_memory(cgroup=cgroup, proc=proc)
    (cgroup / "service/unit/memory.max").write_text("max\n")
    (cgroup / "service/memory.max").write_text("1073741824\n")
    limited = usable_memory(cgroup=cgroup, proc=proc)

    assert (unlimited, limited) == (8 * 2**30, 2**30)


def test_unknown_memory_is_none(tmp_path: Path) -> None:
    assert usable_memory(cgroup=tmp_path, proc=tmp_path) is None
