"""What the arbiter's hooks do."""

import gc
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.processes import lifecycle
from app.processes.lifecycle import PORTS, StartRefused, assert_listeners, refuse_port_in_use
from app.processes.scoreboard import Role
from app.processes.throwaway import answer_apart
from app.settings import Settings


@pytest.fixture
def taken() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()


def refused(addresses: list[object]) -> bool:
    try:
        refuse_port_in_use(addresses)
    except StartRefused:
        return True
    return False


@pytest.mark.parametrize("name", ["PORT", "OPS_PORT", "FORKCAST_GRPC_PORT"])
def test_a_port_in_use_is_refused_by_its_setting(
    taken: tuple[str, int], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()

    assert refused([taken if each == name else free for each in PORTS])
    assert f"set {name} to another one" in caplog.text


def test_a_free_port_and_a_unix_socket_are_not(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()

    assert not refused([free, str(tmp_path / "socket")])


def test_each_port_has_its_socket_among_those_that_are_held_outside(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        here = [each.getsockname()[1] for each in (one, other)]
        assert_listeners([other, one], here)

        with pytest.raises(StartRefused):
            assert_listeners([one, other], [*here, 1])

    assert "that of FORKCAST_GRPC_PORT 1" in caplog.text


def test_a_port_that_systemd_holds_is_ours(monkeypatch: pytest.MonkeyPatch, taken: tuple[str, int]) -> None:
    monkeypatch.setenv("LISTEN_FDS", "1")

    assert not refused([taken])


def test_threads_other_than_one_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in lifecycle.THREAD_VARIABLES:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    with pytest.raises(StartRefused):
        lifecycle.assert_one_thread()


@pytest.mark.parametrize(("threads", "refused"), [(1, False), (2, True)])
def test_a_numeric_library_with_more_threads_stops_the_start(threads: int, refused: bool) -> None:
    pools = [{"internal_api": "openblas", "num_threads": 1}, {"internal_api": "openmp", "num_threads": threads}]
    status = 0

    try:
        lifecycle.assert_one_thread_each(pools)
    except StartRefused as refusal:
        status = refusal.code

    assert status == (3 if refused else 0)


def test_a_model_that_is_loaded_in_a_worker_is_never_collected_there() -> None:
    def work() -> str:
        models: list[list[str]] = []
        made = lifecycle.load_in_worker(lambda: models.append(["a model"]), lambda: models)
        return str(made is models and not any(each is models[0] for each in gc.get_objects()))

    assert answer_apart(work, seconds=30, max_memory_bytes=None, attend=lambda: None) == "True"


@pytest.mark.parametrize(("shared", "timeout", "seconds"), [(True, 30, 10), (True, 1, 3), (False, 1, 50)])
def test_a_worker_that_loads_for_itself_may_take_as_long_as_a_reload(shared: bool, timeout: int, seconds: int) -> None:
    settings = Settings(FORKCAST_REQUEST_TIMEOUT_SECONDS=timeout, FORKCAST_RELOAD_TIMEOUT_SECONDS=50)  # type: ignore[call-arg]

    assert lifecycle.boot_seconds(settings, shared=shared) == seconds


def test_a_worker_that_boots_is_given_the_time_that_a_boot_may_take() -> None:
    board = lifecycle.scoreboard
    board.header.boot_seconds = 50
    place = board.take(Role.SERVE, "")
    try:
        with tempfile.TemporaryFile() as file:
            worker = SimpleNamespace(place=place, tmp=file)
            before = time.monotonic()

            lifecycle.enter(worker, Settings(), {"serve": object, "ops": list})

            assert worker.make_application is object
            # What Gunicorn reads as the last sign of life.
            assert before + 50 <= os.fstat(file.fileno()).st_mtime <= time.monotonic() + 50
    finally:
        board.free(place.slot)
        board.header.boot_seconds = 0


class Arbiter:
    """As Gunicorn's: forks up to `num_workers`, the oldest leave first."""

    def __init__(self, *, processes: int, consumers: int) -> None:
        self.WORKERS: dict[int, SimpleNamespace] = {}
        self.num_workers = processes
        self.forked = 0
        lifecycle.scoreboard.header.consumers = consumers
        self.resize(processes)

    def resize(self, processes: int) -> None:
        self.num_workers = processes
        lifecycle.resize(self, processes)
        while len(self.WORKERS) > self.num_workers:
            self.bury(min(self.WORKERS, key=lambda number: self.WORKERS[number].age))
        while len(self.WORKERS) < self.num_workers:
            self.fork()

    def fork(self) -> None:
        self.forked += 1
        self.WORKERS[self.forked] = worker = SimpleNamespace(age=self.forked)
        lifecycle.enlist(worker, "v1", lifecycle.limits(Settings()))

    def bury(self, number: int) -> None:
        place = self.WORKERS.pop(number).place
        role, generation = Role(place.role), place.generation
        lifecycle.scoreboard.free(place.slot)
        lifecycle.restarts.ended(role, generation)

    @property
    def roles(self) -> dict[int, str]:
        return {number: Role(worker.place.role).name for number, worker in sorted(self.WORKERS.items())}


@pytest.fixture
def arbiter_of() -> Iterator[Callable[..., Arbiter]]:
    arbiters: list[Arbiter] = []
    # Of its own, so that no other test's workers are counted.
    header = lifecycle.scoreboard.header
    header.generation += 1

    def make(**given: int) -> Arbiter:
        arbiters.append(Arbiter(**given))
        return arbiters[-1]

    yield make
    for arbiter in arbiters:
        for number in list(arbiter.WORKERS):
            arbiter.bury(number)
    header.generation += 1
    header.wanted = header.consumers = 0


def test_roles_are_given_to_who_serves_first_then_ops_then_who_runs_jobs(arbiter_of: Callable[..., Arbiter]) -> None:
    assert list(arbiter_of(processes=4, consumers=1).roles.values()) == ["SERVE", "SERVE", "OPS", "CONSUME"]


def test_without_an_embedded_queue_nobody_runs_jobs(arbiter_of: Callable[..., Arbiter]) -> None:
    assert list(arbiter_of(processes=3, consumers=0).roles.values()) == ["SERVE", "SERVE", "OPS"]


def test_who_ran_jobs_and_died_is_replaced_in_its_role(arbiter_of: Callable[..., Arbiter]) -> None:
    arbiter = arbiter_of(processes=4, consumers=1)
    before = lifecycle.scoreboard.header.consume_restarts

    arbiter.bury(4)
    arbiter.fork()

    assert arbiter.roles == {1: "SERVE", 2: "SERVE", 3: "OPS", 5: "CONSUME"}
    assert lifecycle.scoreboard.header.consume_restarts == before + 1


def test_a_ttou_ends_who_serves_whoever_is_older_and_leaves_one(arbiter_of: Callable[..., Arbiter]) -> None:
    arbiter = arbiter_of(processes=3, consumers=1)

    arbiter.resize(5)
    grown = arbiter.roles
    for processes in (4, 3, 2):
        arbiter.resize(processes)

    assert grown == {1: "SERVE", 2: "OPS", 3: "CONSUME", 4: "SERVE", 5: "SERVE"}
    assert arbiter.roles == {2: "OPS", 3: "CONSUME", 5: "SERVE"}
    assert arbiter.num_workers == 3
