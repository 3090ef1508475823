"""What is put around a predict, and how it is asked. Data only."""

from dataclasses import dataclass

from benchmarks.questions import Style

# What the feature store takes for each query.
DELAYS = (0.005, 0.02, 0.1)
CONNECTIONS = (1, 8, 32, 128)
FORKCAST, AWAITS, THREADS, BLOCKS = "forkcast", "awaits", "threads", "blocks"


@dataclass(frozen=True, slots=True)
class Arm:
    """One worker; `baseline` is a module of benchmarks/baselines, empty for Forkcast itself."""

    name: str
    title: str
    baseline: str

    @property
    def style(self) -> Style:
        return "label" if self.baseline else "whole"


ARMS = (
    Arm(FORKCAST, "Forkcast", ""),
    Arm(AWAITS, "FastAPI, awaited", "features_async"),
    Arm(THREADS, "FastAPI, forty threads", "features_def_route"),
    Arm(BLOCKS, "FastAPI, loop blocked", "features_blocking"),
)


# Which of them are put beside each other: the first one's requests/s over the second one's.
RATIOS = ((FORKCAST, BLOCKS), (FORKCAST, THREADS), (AWAITS, BLOCKS))


@dataclass(frozen=True, slots=True)
class Cell:
    """Under which load an arm is measured."""

    delay_seconds: float
    connections: int
