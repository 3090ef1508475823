"""What is compared. Data only: how the server runs and how it is asked."""

from dataclasses import dataclass, replace
from typing import Literal

Execution = Literal["inline", "threads", "microbatch"]


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    question: str
    workers: int = 1
    execution: Execution = "inline"
    connections: int = 32


BASELINE = Scenario("baseline", "What does one process do that predicts each request by itself, in one thread?")

THREADS = replace(BASELINE, name="threads", execution="threads", question="What do threads in that process bring?")
MICROBATCH = replace(
    BASELINE, name="microbatch", execution="microbatch", question="And predicting what waits in one call?"
)
PROCESSES = replace(BASELINE, name="processes", workers=2, question="What does a second process bring?")
PROCESSES_THREADS = replace(THREADS, name="processes-threads", workers=2, question="And one that has threads too?")
PROCESSES_MICROBATCH = replace(
    MICROBATCH, name="processes-microbatch", workers=2, question="And one that predicts in micro-batches too?"
)

# Each differs in one field from the baseline, or from a scenario that does: then the step from that one is its answer.
SCENARIOS = (BASELINE, THREADS, MICROBATCH, PROCESSES, PROCESSES_THREADS, PROCESSES_MICROBATCH)
