"""A tuning from its first server to its choice, and how long each part of it looks."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.processes.cores import usable_cores
from benchmarks.markdown import Row
from benchmarks.saturation import objective_of
from benchmarks.subjects import Subject
from benchmarks.tuning.candidates import Candidate, by_default, candidates
from benchmarks.tuning.choosing import Block, Choice, blocks, chosen
from benchmarks.tuning.halving import Rung, Score, Trial, halved, scored
from benchmarks.tuning.scoring import Scoring

NO_ACCELERATION = ("none", "unequal")


@dataclass(frozen=True, slots=True)
class Effort:
    """The rungs, then `last`, in which each is measured in each of the `blocks`."""

    rungs: tuple[Rung, ...]
    last: Rung
    blocks: int


EFFORT = Effort(
    rungs=(
        Rung("screened", "closed", 1),
        Rung("short", "held", 1, most=1 / 2, at_most=8, within=0.5),
        Rung("longer", "held", 2, precision=0.025, at_most=4, within=0.85),
    ),
    last=Rung("last", "held", 2, precision=0.025, at_most=3, within=0.95),
    blocks=5,
)


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of a candidate; an objective that is None follows from the default's p50 when idle."""

    rows: int = 1
    connections: int = 32
    objective_seconds: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Tuned:
    """`idle_p50_seconds` is that of what is served by default; the rate confirmed can be relied on, 0 where none is."""

    demand: Demand
    objective_seconds: float
    idle_p50_seconds: float
    acceleration: str
    trials: list[Trial]
    finals: list[Block]
    choice: Choice
    confirmed_per_second: float
    confirmations: list[Row]


class Tuning:
    """One model, payload and host; raises RunFailed where an answer failed or was wrong, and where nothing fits."""

    def __init__(self, subject: Subject, demand: Demand, *, effort: Effort = EFFORT, seed: int, folder: Path) -> None:
        self._demand = demand
        self._effort = effort
        self.seed = seed
        self.memory_bytes = demand.memory_bytes
        self.last_rung = effort.rungs[-1]
        self._scoring = Scoring(subject, rows=demand.rows, connections=demand.connections, folder=folder)
        self._started = time.monotonic()
        cores = usable_cores()
        self.alone = self._scoring.alone(by_default(cores))
        self._scoring.limit_connections(self.alone.p50_seconds)
        self.objective_seconds = demand.objective_seconds or objective_of(self.alone.p50_seconds)
        self.candidates = candidates(cores, accelerated=self.alone.acceleration not in NO_ACCELERATION)

    def tuned(self, of: Sequence[Candidate] | None = None) -> Tuned:
        """Of all candidates, or of some."""
        trials = halved(
            of or self.candidates, self._effort.rungs, self.measure, memory_bytes=self.memory_bytes,
            seed=self.seed,
        )  # fmt: skip
        finals = self.compared(finalists(trials, self._effort.last))
        choice = chosen(finals, self.memory_bytes)
        rate, confirmations = self._scoring.confirmed(
            choice.candidate, self._effort.last, choice.rate(choice.candidate).value,
            objective_seconds=self.objective_seconds, seed=self.seed,
        )  # fmt: skip
        return Tuned(
            self._demand, self.objective_seconds, self.alone.p50_seconds, self.alone.acceleration, trials, finals,
            choice, rate, confirmations,
        )  # fmt: skip

    def measure(self, candidate: Candidate, rung: Rung, before: Score | None, seed: int) -> Score:
        if rung.load == "closed" or before is None:
            score = self._scoring.closed(candidate, seconds=rung.seconds, objective_seconds=self.objective_seconds)
        else:
            score = self._scoring.held(
                candidate, rung, before=before, objective_seconds=self.objective_seconds, seed=seed
            )
        self._tell(rung.name, candidate, score)
        return score

    def compared(self, before: dict[Candidate, Score], *, seed: int | None = None) -> list[Block]:
        """In interleaved blocks, each looked for near what it held before; the seed is the tuning's, or another."""

        def measure(candidate: Candidate, seed: int) -> Score:
            return self.measure(candidate, self._effort.last, before[candidate], seed)

        return blocks(list(before), measure, count=self._effort.blocks, seed=self.seed if seed is None else seed)

    def _tell(self, stage: str, candidate: Candidate, score: Score) -> None:
        minutes = (time.monotonic() - self._started) / 60
        said = score.missed or f"{score.rate:,.0f} requests/s"
        print(f"{minutes:5.1f} min  {stage:<9} {candidate.name:<58} {said}", file=sys.stderr, flush=True)


def finalists(trials: Sequence[Trial], last: Rung) -> dict[Candidate, Score]:
    """The best of the rung before the last."""
    line = sorted(scored([each for each in trials if each.rung == trials[-1].rung]), key=lambda each: -each[1].rate)
    return {each: score for each, score in line[: last.at_most] if score.rate >= last.within * line[0][1].rate}
