"""Candidates whose true rates are known, and scores of them that are off by chance."""

import random
from collections.abc import Sequence

from benchmarks.tuning.candidates import Candidate, candidates
from benchmarks.tuning.choosing import Choice, blocks, chosen
from benchmarks.tuning.halving import Rung, Score, halved
from benchmarks.tuning.tuning import EFFORT, finalists

MEGABYTE = 1_000_000
EVERY = candidates(2, accelerated=True)
CLOSED = Rung("screened", "closed", 1)
HELD = Rung("short", "held", 1, most=1 / 2)


class MadeUp:
    """
    A closed loop answers `closed` times of what is held, each candidate's drawn between the two; the longer a window,
    the less it is off.
    """

    def __init__(
        self, held: dict[Candidate, float], *, noise: float = 0.0, closed: tuple[float, float] = (1.3, 1.3),
        megabytes: int = 200, seed: int = 0,
    ) -> None:  # fmt: skip
        self.measured: list[tuple[str, Candidate]] = []
        self.missed: set[Candidate] = set()
        self._held = held
        self._noise = noise
        self._megabytes = megabytes
        self._random = random.Random(seed)
        self._closed = {each: self._random.uniform(*closed) for each in held}

    def __call__(self, candidate: Candidate, rung: Rung, before: Score | None, seed: int) -> Score:
        self.measured.append((rung.name, candidate))
        if rung.load == "held" and candidate in self.missed:
            return self.score(candidate, 0.0, "no rate is held")
        rate = self._held[candidate] * self._random.lognormvariate(0, self._noise / rung.seconds**0.5)
        closed = rung.load == "closed"
        return self.score(candidate, self._closed[candidate] * rate if closed else rate, closed=closed)

    def score(self, candidate: Candidate, rate: float, missed: str = "", *, closed: bool = False) -> Score:
        return Score(rate, self._megabytes * candidate.workers * MEGABYTE, missed, closed)


def tuned(made_up: MadeUp, of: Sequence[Candidate], *, seed: int) -> Choice:
    """The whole of a tuning, but for the servers."""
    last = finalists(halved(of, EFFORT.rungs, made_up, memory_bytes=None, seed=seed), EFFORT.last)
    finals = blocks(
        list(last), lambda each, number: made_up(each, EFFORT.last, None, number), count=EFFORT.blocks, seed=seed
    )
    return chosen(finals, None)
