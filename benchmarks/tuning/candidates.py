"""What is chosen from: the ways to serve one model on one host. Data only."""

from dataclasses import dataclass
from typing import Literal

from app.settings import Settings, environment_name
from benchmarks.scenarios import Forkcast, Scenario

BATCH_SIZES = (16, 128)
THREADS: int = Settings.model_fields["threads"].default
MAX_BATCH_SIZE: int = Settings.model_fields["max_batch_size"].default
# The plainer first: what is easier to explain, and to find a fault in.
PLAINNESS = ("inline", "microbatch", "threads")


@dataclass(frozen=True, slots=True)
class Candidate:
    """`threads` and `max_batch_size` are the defaults where the execution has no use for them."""

    workers: int
    execution: Forkcast
    threads: int = THREADS
    max_batch_size: int = MAX_BATCH_SIZE
    acceleration: Literal["auto", "off"] = "auto"

    @property
    def settings(self) -> dict[str, str]:
        """As the environment names them."""
        values = {
            "web_concurrency": self.workers,
            "execution": self.execution,
            "threads": self.threads,
            "max_batch_size": self.max_batch_size,
            "acceleration": self.acceleration,
        }
        return {environment_name(field): str(value) for field, value in values.items()}

    @property
    def mode(self) -> str:
        sized = {"inline": "", "threads": f" ({self.threads})", "microbatch": f" (at most {self.max_batch_size} rows)"}
        return self.execution + sized[self.execution]

    @property
    def name(self) -> str:
        many = "1 worker" if self.workers == 1 else f"{self.workers} workers"
        return f"{many}, {self.mode}, acceleration {self.acceleration}"

    @property
    def plainness(self) -> tuple[int, ...]:
        """The least is the plainest: fewer processes, then no batches and no threads, then the model's code alone."""
        return (
            self.workers, PLAINNESS.index(self.execution), self.acceleration != "off", self.threads,
            self.max_batch_size != MAX_BATCH_SIZE,
        )  # fmt: skip

    def scenario(self, *, rows: int, connections: int) -> Scenario:
        return Scenario(
            name=self.name, question="Is this the one to serve with?", technique=self.execution, workers=self.workers,
            threads=self.threads, rows=rows, connections=connections, acceleration=self.acceleration,
            settings=((environment_name("max_batch_size"), str(self.max_batch_size)),),
        )  # fmt: skip


def by_default(cores: int) -> Candidate:
    """What is served where nothing is set."""
    return Candidate(cores, "microbatch")


def numbers_of_workers(cores: int) -> list[int]:
    """One, twice as many each time until there is one a core, and one more: in between, memory may be what decides."""
    doubled = {2**power for power in range(cores.bit_length()) if 2**power < cores}
    return sorted(doubled | {1, cores, cores + 1})


def candidates(cores: int, *, accelerated: bool) -> tuple[Candidate, ...]:
    """All of them; acceleration is a choice only where the model has one."""
    modes: list[tuple[Forkcast, int, int]] = [("inline", THREADS, MAX_BATCH_SIZE)]
    modes += [("threads", threads, MAX_BATCH_SIZE) for threads in sorted({2, max(2, cores)})]
    modes += [("microbatch", THREADS, size) for size in BATCH_SIZES]
    choices: tuple[Literal["auto", "off"], ...] = ("auto", "off") if accelerated else ("auto",)
    return tuple(
        Candidate(workers, *mode, acceleration)
        for workers in numbers_of_workers(cores)
        for mode in modes
        for acceleration in choices
    )
