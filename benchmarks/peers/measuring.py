"""One run of one arm: a fresh server, which is timed, asked at each number of connections, and hurt."""

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from app.processes import usage
from app.processes.cores import usable_cores
from benchmarks.generators import Own
from benchmarks.machine import calibration_seconds
from benchmarks.markdown import Row
from benchmarks.peers.asked import Asked, plan_of
from benchmarks.peers.catalogue import PEERS
from benchmarks.peers.contract import Arm, Place
from benchmarks.peers.ports import lasting_port
from benchmarks.peers.recovery import Patience, busiest, recovery
from benchmarks.peers.server import PeerServer, served
from benchmarks.processes import processor_ticks, steal_share
from benchmarks.questions import CheckedPlan
from benchmarks.result_file import moment
from benchmarks.workload import check_answers

CONNECTIONS = (1, 32, 128)
WARM_UP_CONNECTIONS = 32
# Of a server that has answered rightly once.
Figures = Callable[[PeerServer, CheckedPlan, list[Asked]], Row]


def measured(arm: Arm, artifact: Path, asked: list[Asked], conditions: Row, *, figures_of: Figures) -> Row:
    """The run's row; raises RunFailed, and then there is no number."""
    started, before = moment(), calibration_seconds()
    ticks = processor_ticks()
    with tempfile.TemporaryDirectory(prefix="peer-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        place = Place(artifact, folder, port=lasting_port(), cores=usable_cores(), batching=arm.batching)
        plan = plan_of(asked, conditions, folder)
        launch = PEERS[arm.peer].launch(place)
        exec_at = time.monotonic()
        with served(launch, port=place.port, folder=folder) as server:
            server.wait_until_right(asked[0])
            figures = {"start_seconds": time.monotonic() - exec_at, **figures_of(server, plan, asked)}
    stolen = steal_share(ticks, processor_ticks())
    times = {"started": started, "ended": moment(), "calibration_seconds": [before, calibration_seconds()]}
    return {"scenario": arm.name, **times, "steal_share": stolen, **figures}


def loaded_and_hurt(server: PeerServer, plan: CheckedPlan, asked: list[Asked]) -> Row:
    figures, by_process = loaded(server, plan, CONNECTIONS)
    hurt = recovery(server, busiest(server, by_process), asked, patience=Patience())
    return {**figures, "recovery": asdict(hurt)}


def loaded(server: PeerServer, plan: CheckedPlan, connections: Sequence[int]) -> tuple[Row, dict[int, float]]:
    """The figures of each level, and the processor time by process; known instances are asked before and after."""
    check_answers(server.port, plan.known)
    Own(WARM_UP_CONNECTIONS, keep_alive=True).load(server.port, plan, plan.warm_up_seconds)
    before = spent(server)
    loads = {str(count): level(server, plan, count) for count in connections}
    by_process = {pid: seconds - before.get(pid, 0.0) for pid, seconds in spent(server).items()}
    memory = pss_bytes(server)
    check_answers(server.port, plan.known)
    void = [f"{count} connections: {why}" for count, load in loads.items() for why in load["void"]]
    figures = {
        "loads": loads,
        "pss_bytes": sum(memory),
        "pss_bytes_by_process": memory,
        "cpu_seconds_by_process": list(by_process.values()),
        "void": void,
    }
    return figures, by_process


def level(server: PeerServer, plan: CheckedPlan, connections: int) -> Row:
    """One window of load, and what the server's processes spent in it."""
    before = sum(spent(server).values())
    load = Own(connections, keep_alive=True).load(server.port, plan, plan.window_seconds)
    return {**load, "server_cpu_seconds": sum(spent(server).values()) - before}


def spent(server: PeerServer) -> dict[int, float]:
    """Processor time by process; one that ends meanwhile has none."""
    found = {}
    for pid in server.pids():
        with suppress(OSError):
            found[pid] = usage.cpu_seconds(pid)
    return found


def pss_bytes(server: PeerServer) -> list[int]:
    found = []
    for pid in server.pids():
        with suppress(OSError):
            found.append(usage.memory(pid).pss_bytes)
    return found
