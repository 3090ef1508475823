"""The memory that all processes of a server share."""

import os

from app.processes.scoreboard import Role, Scoreboard, State


def taken(scoreboard: Scoreboard, count: int, role: Role = Role.SERVE) -> list[int]:
    return [scoreboard.take(role, "v1").slot for _ in range(count)]


def test_the_lowest_free_slot_is_taken() -> None:
    scoreboard = Scoreboard()

    assert taken(scoreboard, 3) == [0, 1, 2]


def test_a_replaced_worker_takes_its_forerunners_slot() -> None:
    scoreboard = Scoreboard()
    taken(scoreboard, 3)

    scoreboard.free(1)

    assert taken(scoreboard, 2) == [1, 3]


def test_two_generations_overlap_without_sharing_a_slot() -> None:
    scoreboard = Scoreboard()
    old = taken(scoreboard, 2)

    scoreboard.header.generation += 1
    new = taken(scoreboard, 2)
    for slot in old:
        scoreboard.free(slot)

    assert (new, taken(scoreboard, 2)) == ([2, 3], [0, 1])


def test_freeing_twice_is_harmless() -> None:
    scoreboard = Scoreboard()

    scoreboard.free(taken(scoreboard, 1)[0])
    scoreboard.free(0)

    assert taken(scoreboard, 1) == [0]


def test_workers_are_counted_by_their_role_in_the_present_generation() -> None:
    scoreboard = Scoreboard()
    taken(scoreboard, 2)
    taken(scoreboard, 1, Role.OPS)

    scoreboard.header.generation += 1
    taken(scoreboard, 3)

    assert (scoreboard.count(Role.SERVE), scoreboard.count(Role.OPS)) == (3, 0)


def test_what_a_child_writes_is_read_in_its_parent() -> None:
    scoreboard = Scoreboard()
    place = scoreboard.take(Role.SERVE, "93de58e472a6")
    child = os.fork()
    if child == 0:
        place.pid, place.engaged, place.beat, place.state = os.getpid(), 3, 12.5, State.READY
        os._exit(0)
    os.waitpid(child, 0)

    [worker] = scoreboard.workers()

    assert (worker.pid, worker.engaged, worker.beat, worker.state) == (child, 3, 12.5, State.READY)
    assert (worker.role, worker.version) == (Role.SERVE, "93de58e472a6")


def test_a_slot_that_is_taken_again_holds_nothing_of_before() -> None:
    scoreboard = Scoreboard()
    place = scoreboard.take(Role.OPS, "a-long-version")
    place.connections, place.predicting_since = 7, 1.5

    scoreboard.free(place.slot)
    again = scoreboard.take(Role.SERVE, "b")

    assert (again.connections, again.predicting_since, again.version) == (0, 0.0, "b")


def test_slots_do_not_overlap() -> None:
    scoreboard = Scoreboard()
    first, second = (scoreboard.take(Role.SERVE, "x" * 100) for _ in range(2))

    first.looked = 1.0

    assert (second.pid, second.role, second.version) == (0, Role.SERVE, "x" * 32)
    assert scoreboard.header.used == 2
