"""The numbers of the workers: the lowest that is free, so that a replaced worker takes its forerunner's."""


class Slots:
    """Kept by the arbiter alone. A HUP overlaps two generations, so there can be twice as many as workers."""

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def take(self) -> int:
        """The lowest number that no live worker has, from 0."""
        slot = next(number for number in range(len(self._taken) + 1) if number not in self._taken)
        self._taken.add(slot)
        return slot

    def free(self, slot: int) -> None:
        """The worker in `slot` has ended."""
        self._taken.discard(slot)
