"""A tuning from its first server to its choice, and how long each part of it looks."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.processes.cores import usable_cores
from benchmarks.generators import wrk_is_installed
from benchmarks.load_generator.outcome import MOST_BUSY, MOST_SHARE
from benchmarks.markdown import Row
from benchmarks.saturation import objective_of
from benchmarks.subjects import Subject
from benchmarks.tuning.candidates import Candidate, by_default, candidates
from benchmarks.tuning.choosing import Block, Choice, blocks, chosen
from benchmarks.tuning.halving import Rung, Score, Trial, halved, scored, too_much
from benchmarks.tuning.scoring import Scoring

NO_ACCELERATION = ("none", "unequal")


@dataclass(frozen=True, slots=True)
class Effort:
    """
    The rungs, then `last`, in which each is measured in each of the `blocks`.

    Our own generator may need `most_share` of the cores to send what the fastest answers; beyond it wrk compares.
    """

    rungs: tuple[Rung, ...]
    last: Rung
    blocks: int
    most_share: float = MOST_SHARE


EFFORT = Effort(
    rungs=(
        Rung("screened", "closed", 1),
        Rung("short", "held", 1, most=1 / 2, at_most=8, within=0.5),
        Rung("longer", "held", 2, precision=0.025, at_most=4, within=0.85),
    ),
    # A single short window may be 10 % off, and whoever is left out of the last is not compared with its choice.
    last=Rung("last", "held", 2, precision=0.025, at_most=3, within=0.9),
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
    """
    `idle_p50_seconds` is that of what is served by default; the rate confirmed can be relied on, 0 where none is.

    `generator_share` is what our own load generator would take of the cores to send by schedule as much as the fastest
    answers in a closed loop.
    """

    demand: Demand
    objective_seconds: float
    idle_p50_seconds: float
    acceleration: str
    trials: list[Trial]
    finals: list[Block]
    choice: Choice
    confirmed_per_second: float
    confirmations: list[Row]
    generator_share: float = 0.0

    @property
    def closed(self) -> bool:
        """Whether the last candidates were compared in a closed loop."""
        return any(score.closed for block in self.finals for score in block.scores.values())


class Tuning:
    """One model, payload and host; raises RunFailed where an answer failed or was wrong, and where nothing fits."""

    def __init__(self, subject: Subject, demand: Demand, *, effort: Effort = EFFORT, seed: int, folder: Path) -> None:
        self._demand = demand
        self._effort = effort
        self.seed = seed
        self.memory_bytes = demand.memory_bytes
        self.last_rung = effort.rungs[-1]
        self._started = time.monotonic()
        self._cores = cores = usable_cores()
        self._scoring = Scoring(subject, rows=demand.rows, connections=demand.connections, cores=cores, folder=folder)
        self._fastest = 0.0
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
        rate, confirmations = self._confirmed(choice.candidate, choice.rate(choice.candidate).value)
        return Tuned(
            self._demand, self.objective_seconds, self.alone.p50_seconds, self.alone.acceleration, trials, finals,
            choice, rate, confirmations, self.generator_share,
        )  # fmt: skip

    def _confirmed(self, candidate: Candidate, rate: float) -> tuple[float, list[Row]]:
        """What is held by schedule, whatever candidates were compared by, and the windows that show it."""
        last, objective = self._effort.last, self.objective_seconds
        if self.outrun:
            # More than that our own generator cannot send.
            found = Score(min(rate, MOST_BUSY / self.alone.generator_seconds), 0, closed=True)
            rate = self._scoring.held(candidate, last, before=found, objective_seconds=objective, seed=self.seed).rate
        return self._scoring.confirmed(candidate, last, rate, objective_seconds=objective, seed=self.seed)

    @property
    def generator_share(self) -> float:
        """Of the time of all cores, for as much as the fastest candidate answers in a closed loop."""
        return self._fastest * self.alone.generator_seconds / self._cores

    @property
    def outrun(self) -> bool:
        """
        Whether the servers are too fast for our own load generator: by schedule it would be the one that is measured,
        for it is one process, and takes of the servers' cores. Then wrk, which takes far less, compares them.
        """
        most = min(self._effort.most_share, MOST_BUSY / self._cores)
        return wrk_is_installed() and self.generator_share > most

    def measure(self, candidate: Candidate, rung: Rung, before: Score | None, seed: int) -> Score:
        """In the first rung, of which `before` is None, in a closed loop: it tells how fast the fastest is."""
        if before is None or self.outrun:
            score = self._scoring.closed(
                candidate, seconds=rung.seconds, objective_seconds=self.objective_seconds, judged=before is not None
            )
            if before is None and not (score.missed or too_much(score, self.memory_bytes)):
                self._fastest = max(self._fastest, score.rate)
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
