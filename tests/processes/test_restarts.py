"""Which forks are restarts."""

import pytest

from app.processes.restarts import Restarts
from app.processes.scoreboard import Place, Role, Scoreboard


class Arbiter:
    """Forks and buries as the real one does, on a scoreboard of its own."""

    def __init__(self, wanted: int) -> None:
        self.scoreboard = Scoreboard(capacity=16)
        self.restarts = Restarts(self.scoreboard)
        self.scoreboard.header.wanted = wanted
        self.fork_generation()

    def fork_generation(self) -> None:
        self.workers = [self.fork(Role.SERVE) for _ in range(self.scoreboard.header.wanted)]
        self.ops = self.fork(Role.OPS)

    def fork(self, role: Role) -> Place:
        self.restarts.forked(role)
        return self.scoreboard.take(role, "a")

    def bury(self, place: Place) -> None:
        role, generation = Role(place.role), place.generation
        self.scoreboard.free(place.slot)
        self.restarts.ended(role, generation)

    def resize(self, wanted: int) -> None:
        self.scoreboard.header.wanted = wanted
        self.restarts.resized()

    @property
    def counted(self) -> tuple[int, int]:
        header = self.scoreboard.header
        return header.serve_restarts, header.ops_restarts


@pytest.fixture
def arbiter() -> Arbiter:
    return Arbiter(wanted=2)


def test_the_first_workers_replace_nobody(arbiter: Arbiter) -> None:
    assert arbiter.counted == (0, 0)


def test_one_that_replaces_a_dead_one_is_a_restart_of_its_role(arbiter: Arbiter) -> None:
    arbiter.bury(arbiter.workers[0])
    arbiter.fork(Role.SERVE)
    after_one = arbiter.counted
    arbiter.bury(arbiter.ops)
    arbiter.fork(Role.OPS)

    assert (after_one, arbiter.counted) == ((1, 0), (1, 1))


def test_each_of_several_is_counted_once(arbiter: Arbiter) -> None:
    for worker in arbiter.workers:
        arbiter.bury(worker)
    for _ in range(2):
        arbiter.fork(Role.SERVE)
    arbiter.resize(3)
    arbiter.fork(Role.SERVE)

    assert arbiter.counted == (2, 0)


def test_one_more_by_a_ttin_is_none(arbiter: Arbiter) -> None:
    arbiter.resize(3)
    arbiter.fork(Role.SERVE)

    assert arbiter.counted == (0, 0)


def test_one_that_left_at_a_ttou_is_not_replaced_by_that_of_a_later_ttin(arbiter: Arbiter) -> None:
    arbiter.resize(1)
    arbiter.bury(arbiter.workers[0])
    arbiter.resize(2)
    arbiter.fork(Role.SERVE)

    assert arbiter.counted == (0, 0)


def test_one_that_died_right_before_a_ttou_is_not_either(arbiter: Arbiter) -> None:
    arbiter.bury(arbiter.workers[0])
    arbiter.resize(1)
    arbiter.resize(2)
    arbiter.fork(Role.SERVE)

    assert arbiter.counted == (0, 0)


def test_the_workers_of_a_hup_replace_nobody(arbiter: Arbiter) -> None:
    old = [*arbiter.workers, arbiter.ops]
    arbiter.bury(old.pop())

    arbiter.scoreboard.header.generation += 1
    arbiter.fork_generation()
    for worker in old:
        arbiter.bury(worker)

    assert arbiter.counted == (0, 0)
