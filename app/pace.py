"""What one request has lately cost a worker: how long those that it holds will take."""

# The weight of what was before, at each predict: some ten predicts are remembered.
MEMORY = 0.9


class Pace:
    """`lanes` predicts run at once; what they took and how many requests they answered fades with each new one."""

    def __init__(self, lanes: int = 1) -> None:
        self._lanes = lanes
        self._seconds = 0.0
        self._requests = 0.0

    def took(self, seconds: float, requests: float) -> None:
        """One predict answered so many requests; of a large one that was cut, a part."""
        self._seconds = self._seconds * MEMORY + seconds
        self._requests = self._requests * MEMORY + requests

    def seconds_for(self, requests: int) -> float:
        """How long so many requests take from now; 0 before anything was measured."""
        if not self._requests:
            return 0.0
        return requests * self._seconds / self._requests / self._lanes
