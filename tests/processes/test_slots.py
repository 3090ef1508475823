"""The numbers of the workers."""

from app.processes.slots import Slots


def test_the_lowest_free_number_is_taken() -> None:
    slots = Slots()

    assert [slots.take() for _ in range(3)] == [0, 1, 2]


def test_a_replaced_worker_takes_its_forerunners_number() -> None:
    slots = Slots()
    for _ in range(3):
        slots.take()

    slots.free(1)

    assert [slots.take(), slots.take()] == [1, 3]


def test_two_generations_overlap_without_sharing_a_number() -> None:
    slots = Slots()
    old = [slots.take() for _ in range(2)]

    new = [slots.take() for _ in range(2)]
    for slot in old:
        slots.free(slot)
    third = [slots.take() for _ in range(2)]

    assert (new, third) == ([2, 3], [0, 1])


def test_freeing_twice_is_harmless() -> None:
    slots = Slots()

    slots.free(slots.take())
    slots.free(0)

    assert slots.take() == 0
