"""Who takes what waits: with real listeners, and workers that are places on a scoreboard."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.processes import accept
from app.processes.accept import BalancedAccept, Peers, fill_level, waiting_on
from app.processes.scoreboard import Place, Role, Scoreboard, State
from tests.waiting import until

Check = Callable[[], bool]


@dataclass
class Worker:
    """Holds what it has accepted, and says so in its place."""

    place: Place
    acceptor: BalancedAccept | None = None
    held: list[socket.socket] = field(default_factory=list)

    def attach(self, connection: socket.socket) -> None:
        self.held.append(connection)
        self.place.engaged += 1


class Arena:
    """Workers around one listener, all in one event loop; some look at it, others are only known."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.scoreboard = Scoreboard(16)
        self.clients: list[socket.socket] = []
        self.workers: list[Worker] = []
        self.listeners: list[socket.socket] = []

    def worker(self, *, engaged: int = 0, state: State = State.READY, looks: bool = True) -> Worker:
        place = self.scoreboard.take(Role.SERVE, "v")
        place.engaged, place.state = engaged, state
        worker = Worker(place)
        if looks:
            self.look(worker)
        self.workers.append(worker)
        return worker

    def look(self, worker: Worker) -> BalancedAccept:
        """From a descriptor of its own, as in a process of its own."""
        self.listeners.append(self.listener.dup())
        peers = Peers(self.scoreboard, worker.place)
        worker.acceptor = BalancedAccept(
            asyncio.get_running_loop(), {self.listeners[-1]: worker.attach}, worker.place, peers
        )
        return worker.acceptor

    def connect(self, count: int) -> None:
        for _ in range(count):
            self.clients.append(socket.create_connection(self.listener.getsockname()))

    def start(self) -> None:
        for worker in self.workers:
            if worker.acceptor is not None:
                worker.acceptor.start()

    @property
    def split(self) -> list[int]:
        return [len(worker.held) for worker in self.workers]

    def close(self) -> None:
        for worker in self.workers:
            if worker.acceptor is not None:
                worker.acceptor.stop()
        for each in [*self.listeners, *self.clients, *(held for worker in self.workers for held in worker.held)]:
            each.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        listening.setblocking(False)
        yield listening


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Of a busy worker and of an idle one, in seconds that no machine holds a process up for."""
    patience = {"busy": 4.0, "idle": 2.0}
    monkeypatch.setattr(accept, "PATIENCE_SECONDS", patience["busy"])
    monkeypatch.setattr(accept, "IDLE_PATIENCE_SECONDS", patience["idle"])
    return patience


@contextlib.contextmanager
def arena(listener: socket.socket) -> Iterator[Arena]:
    ring = Arena(listener)
    try:
        yield ring
    finally:
        ring.close()


@pytest.mark.parametrize(
    ("held", "waiting", "level"),
    [([0], 5, 5), ([0, 0, 0, 0], 64, 16), ([0, 1, 1, 2], 1, 1), ([3, 0], 1, 1), ([3, 0], 4, 3), ([2, 2], 1, 2),
     ([0, 0, 5], 9, 4), ([0, 1, 1, 2], 5, 2), ([7], 0, 7)],
)  # fmt: skip
def test_the_level_is_where_what_waits_fills_the_least_loaded(held: list[int], waiting: int, level: int) -> None:
    assert fill_level(held, waiting) == level


def test_what_waits_is_counted_by_the_kernel(listener: socket.socket) -> None:
    with arena(listener) as ring:
        ring.connect(3)

        assert waiting_on(listener) == 3


def test_a_burst_is_shared_evenly(listener: socket.socket) -> None:
    async def main() -> list[int]:
        with arena(listener) as ring:
            for _ in range(4):
                ring.worker()
            ring.connect(32)
            ring.start()
            await until(lambda: sum(ring.split) == 32)
            return ring.split

    assert asyncio.run(main()) == [8, 8, 8, 8]


@pytest.mark.usefixtures("patience")
def test_what_is_left_over_is_for_who_holds_least_and_not_for_who_comes_first(listener: socket.socket) -> None:
    async def main() -> list[int]:
        with arena(listener) as ring:
            first, late = ring.worker(engaged=7), ring.worker(engaged=1, looks=False)
            ring.worker(engaged=8)
            ring.connect(7)
            assert first.acceptor is not None
            first.acceptor.start()
            await until(lambda: first.place.looked > 0)
            ring.look(late).start()
            await until(lambda: len(late.held) >= 6)
            return ring.split

    assert asyncio.run(main())[0] <= 1


def test_a_new_worker_is_filled_up_first(listener: socket.socket) -> None:
    async def main() -> list[int]:
        with arena(listener) as ring:
            for engaged in (6, 6, 0):
                ring.worker(engaged=engaged)
            ring.connect(6)
            ring.start()
            await until(lambda: sum(ring.split) == 6)
            return ring.split

    assert asyncio.run(main()) == [0, 0, 6]


@pytest.mark.parametrize("state", [State.BOOTING, State.DRAINING])
def test_nothing_is_left_to_a_worker_that_does_not_take(
    listener: socket.socket, state: State, patience: dict[str, float]
) -> None:
    async def main() -> float:
        with arena(listener) as ring:
            ring.worker(engaged=5)
            ring.worker(state=state, looks=False)
            ring.connect(3)
            ring.start()
            return await until(lambda: ring.split == [3, 0])

    assert asyncio.run(main()) < patience["idle"]


@pytest.mark.parametrize(("in_flight", "how"), [(1, "busy"), (0, "idle")])
def test_a_worker_that_never_looks_is_waited_for_once_and_not_for_each_connection(
    listener: socket.socket, in_flight: int, how: str, patience: dict[str, float]
) -> None:
    async def main() -> tuple[float, float]:
        with arena(listener) as ring:
            busy = ring.worker(engaged=5)
            busy.place.in_flight = in_flight
            ring.worker(looks=False)
            ring.start()
            ring.connect(1)
            first = await until(lambda: ring.split == [1, 0])
            ring.connect(20)
            return first, await until(lambda: ring.split == [21, 0])

    first, others = asyncio.run(main())

    assert patience[how] <= first < patience[how] + patience["idle"]
    # As many more as it holds less would be left to a worker that might come.
    assert others < patience[how]


def test_a_worker_that_looks_again_gets_its_share_again(listener: socket.socket) -> None:
    async def main() -> list[int]:
        with arena(listener) as ring:
            ring.worker(engaged=5)
            late = ring.worker(looks=False)
            ring.start()
            ring.connect(1)
            await until(lambda: ring.split == [1, 0])
            ring.look(late).start()
            ring.connect(1)
            await until(lambda: sum(ring.split) == 2)
            ring.connect(4)
            await until(lambda: sum(ring.split) == 6)
            return ring.split

    first, second = asyncio.run(main())

    assert second >= 4 > first


def test_at_the_limit_of_all_everything_is_taken_at_once(listener: socket.socket, patience: dict[str, float]) -> None:
    async def main() -> float:
        with arena(listener) as ring:
            for worker in (ring.worker(engaged=9), ring.worker(engaged=2, looks=False)):
                worker.place.full = 1
            ring.connect(10)
            ring.start()
            return await until(lambda: ring.split == [10, 0])

    assert asyncio.run(main()) < patience["idle"]


def test_a_full_worker_leaves_what_waits_to_one_with_room(listener: socket.socket) -> None:
    async def main() -> list[int]:
        with arena(listener) as ring:
            ring.worker(engaged=0).place.full = 1
            ring.worker(engaged=9)
            ring.connect(4)
            ring.start()
            await until(lambda: sum(ring.split) == 4)
            return ring.split

    assert asyncio.run(main()) == [0, 4]


@pytest.mark.parametrize(
    ("engaged", "connections", "sent_away"),
    [
        ((3, 1), (3, 1), True),
        ((2, 1), (9, 1), False),
        ((1, 3), (9, 1), False),
        # As many clients here as there, of whom more have asked of late.
        ((9, 1), (20, 20), False),
        ((100, 91), (300, 200), False),
        ((100, 80), (300, 200), True),
    ],
)
def test_a_connection_is_sent_away_where_more_are_held_than_chance_explains(
    listener: socket.socket, engaged: tuple[int, int], connections: tuple[int, int], sent_away: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(accept, "SEND_AWAY_SECONDS", 60.0)

    async def main() -> list[bool]:
        with arena(listener) as ring:
            own, other = (ring.worker(engaged=each) for each in engaged)
            own.place.connections, other.place.connections = connections
            assert own.acceptor is not None
            return [own.acceptor.sends_away(0), own.acceptor.sends_away(0)]

    # One at a time: the second question comes too soon.
    assert asyncio.run(main()) == [sent_away, False]


def test_all_that_waits_can_be_taken_at_the_end(listener: socket.socket) -> None:
    async def main() -> list[int]:
        with arena(listener) as ring:
            leaving = ring.worker(engaged=9)
            ring.worker(looks=False)
            ring.connect(5)
            assert leaving.acceptor is not None
            leaving.acceptor.take_all()
            return ring.split

    assert asyncio.run(main()) == [5, 0]


class Exhausted:
    """A listener of a process that has no descriptor left, until it has."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.attempts = 0
        self.exhausted = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.listener, name)

    def accept(self) -> tuple[socket.socket, object]:
        self.attempts += 1
        if self.exhausted:
            raise OSError(errno.EMFILE, "Too many open files")
        return self.listener.accept()


def test_a_worker_without_descriptors_tries_now_and_then_and_nobody_waits_for_it(listener: socket.socket) -> None:
    async def main() -> tuple[list[int], int, list[int]]:
        with arena(listener) as ring:
            poor, other = ring.worker(looks=False), ring.worker(engaged=5)
            exhausted = Exhausted(listener.dup())
            ring.listeners.append(exhausted.listener)
            poor.acceptor = BalancedAccept(
                asyncio.get_running_loop(), {exhausted: poor.attach}, poor.place, Peers(ring.scoreboard, poor.place)
            )
            ring.start()
            ring.connect(3)
            await until(lambda: len(other.held) == 3)
            attempts, without = exhausted.attempts, ring.split
            exhausted.exhausted = False
            await until(lambda: poor.place.looked > 0)
            ring.connect(4)
            await until(lambda: len(poor.held) > 0)
            return without, attempts, ring.split

    without, attempts, later = asyncio.run(main())

    assert without == [0, 3]
    # One in a tenth of a second, in less than that.
    assert attempts <= 3
    assert later[0] > 0
