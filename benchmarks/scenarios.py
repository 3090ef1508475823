"""What is compared. Data only: how the server runs and how it is asked."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from app.processes.cores import usable_cores

Forkcast = Literal["inline", "threads", "microbatch"]
Baseline = Literal[
    "blocking", "run_in_executor", "to_thread", "def_route", "process_pool", "asgi_worker", "onnx", "queue",
    "plain_loop", "fastapi_nothing", "starlette_nothing",
]  # fmt: skip
Technique = Forkcast | Baseline
FORKCAST = ("inline", "threads", "microbatch")
ModelName = Literal["served", "text", "forest", "boosting", "numpy", "null"]
Arrivals = Literal["closed", "poisson", "constant", "bursty", "search"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """
    `against` names the scenario that this one differs from in one field; empty where a comparison begins.

    A technique is one of Forkcast's executions or a module of benchmarks/baselines; `threads` is the size of its pool,
    where it has one; `preload` is a baseline's, for Forkcast always does. `settings` are further ones of Forkcast, by
    their names in the environment. With `own_generator` ours asks where wrk could. With `arrivals` other than `closed`
    requests come by a schedule, at `load` times what the scenario `capacity_of` answers in a closed loop; `search`
    looks for the highest rate of Poisson arrivals that meets the objective.
    """

    name: str
    question: str
    against: str = ""
    technique: Technique = "inline"
    workers: int = 1
    threads: int = 1
    model: ModelName = "served"
    rows: int = 1
    connections: int = 32
    keep_alive: bool = True
    own_generator: bool = False
    acceleration: Literal["auto", "off"] = "auto"
    preload: bool = False
    settings: tuple[tuple[str, str], ...] = ()
    arrivals: Arrivals = "closed"
    load: float = 0.0
    capacity_of: str = ""

    def but(self, name: str, question: str, **changed: Any) -> "Scenario":
        """This scenario with one field changed, compared against it."""
        return replace(self, name=name, question=question, against=self.name, **changed)


def headline(cores: int | None = None) -> tuple[Scenario, ...]:
    """
    The six cells of `make bench`: the served model in one thread, in threads, in processes, and in micro-batches too.

    The last two are on a model that lets go of the interpreter's lock for most of its predict: there threads can win.
    """
    cores = cores or usable_cores()
    # Two at least: threads and processes are compared on one core too.
    many = max(2, cores)
    baseline = Scenario(name="baseline", question="What does one process do that predicts in one thread?")
    threads = baseline.but("threads", "What do threads in that process bring?", technique="threads", threads=many)
    processes = baseline.but("processes", "What does a process a core bring?", workers=many)
    batches = processes.but("processes-microbatch", "And predicting what waits in one call?", technique="microbatch")
    numpy = Scenario(
        name="numpy", question="What does one thread do where numpy computes for milliseconds?", model="numpy", rows=64,
        connections=8,
    )  # fmt: skip
    numpy_threads = numpy.but("numpy-threads", "And threads, on the same?", technique="threads", threads=many)
    return (baseline, threads, processes, batches, numpy, numpy_threads)
