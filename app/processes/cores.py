"""How many cores and how much memory this process may use."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
PROC = Path("/proc")


def usable_cores(*, cgroup: Path = CGROUP, proc: Path = PROC, affinity: int | None = None) -> int:
    """
    The cores that a process can keep busy at once: its affinity, held down by cgroup v2's `cpu.max`.

    A quota of 1.5 cores is 2: a worker that is throttled now and then serves more than a core left idle.
    """
    allowed = len(os.sched_getaffinity(0)) if affinity is None else affinity
    quotas = [quota for folder in _folders(cgroup, proc) if (quota := _quota(folder / "cpu.max")) is not None]
    return max(1, min([allowed, *(math.ceil(quota) for quota in quotas)]))


def usable_memory(*, cgroup: Path = CGROUP, proc: Path = PROC) -> int | None:
    """Bytes that processes here may use: the machine's memory, held down by cgroup v2's `memory.max`."""
    limits = [limit for folder in _folders(cgroup, proc) if (limit := _number(folder / "memory.max")) is not None]
    for line in _text(proc / "meminfo").splitlines():
        if line.startswith("MemTotal:"):
            limits.append(int(line.split()[1]) * 1024)
    return min(limits) if limits else None


def _folders(cgroup: Path, proc: Path) -> list[Path]:
    """This process's cgroup and all above it: each may set a limit, and the least one holds."""
    for line in _text(proc / "self/cgroup").splitlines():
        if line.startswith("0::"):
            own = cgroup / line.removeprefix("0::").lstrip("/")
            return [folder for folder in (own, *own.parents) if folder == cgroup or cgroup in folder.parents]
    return [cgroup]


def _quota(file: Path) -> float | None:
    fields = _text(file).split()
    if len(fields) != 2 or fields[0] == "max":
        return None
    return int(fields[0]) / int(fields[1])


def _number(file: Path) -> int | None:
    text = _text(file).strip()
    return int(text) if text.isdigit() else None


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
