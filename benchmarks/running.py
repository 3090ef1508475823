"""All runs of a series: blocks that hold each scenario once, in an order drawn anew for each, void runs repeated."""

import random
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median

from benchmarks import validity
from benchmarks.failures import NotMeasurable
from benchmarks.markdown import Row
from benchmarks.scenarios import Scenario
from benchmarks.series import Series

# A run that the machine disturbed is made again, but not for ever.
ATTEMPTS = 3
BAR = 20
# What a request by schedule costs our own generator, at some thousands a second.
OWN_CPU_SECONDS = 0.00007

# The scenario, and the capacity that its rate is a share of: a run's row.
Measure = Callable[[Scenario, float | None], Row]


class Budget:
    """Time for all planned runs comes first: one is made again only where there is some left."""

    def __init__(self, planned: int, seconds: float | None) -> None:
        self._left = planned
        self._made = 0
        self._started = time.monotonic()
        self._seconds = seconds

    def made(self) -> None:
        self._made += 1

    def planned_made(self) -> None:
        self._left -= 1

    def progress(self, planned: int) -> str:
        """A bar, and the time that is left at the pace so far; told before the run just made is counted off."""
        left = self._left - 1
        done = "#" * (BAR * (planned - left) // planned)
        minutes = (time.monotonic() - self._started) / max(1, self._made) * left / 60
        return f"[{done:<{BAR}}] {minutes:3.0f} min left"

    @property
    def allows_another(self) -> bool:
        spent = time.monotonic() - self._started
        # This one is still among those left.
        return self._seconds is None or spent + spent / max(1, self._made) * self._left < self._seconds


def fill(
    series: Series, scenarios: Sequence[Scenario], measure: Measure, *, blocks: int, attempts: int,
    seconds: float | None = None,
) -> None:  # fmt: skip
    """
    Make and save the runs that the series lacks; raises RunFailed, and keeps what it has.

    Void runs are made again as often as `attempts` and `seconds` allow. A scenario that this host cannot measure is
    left out, with the reason kept in the series.
    """
    series.try_again()
    order = random.Random(series.head["conditions"]["seed"])
    # Those by schedule need a capacity: the closed loops of a block come first.
    planned = [
        (block, scenario)
        for block in range(blocks)
        for scenario in sorted(order.sample(scenarios, len(scenarios)), key=lambda each: each.arrivals != "closed")
    ]
    budget = Budget(len(planned), seconds)
    for block, scenario in planned:
        if scenario.name not in series.left_out and not series.has(block, scenario.name, attempts):
            said = run(series, scenario, measure, block=block, attempts=attempts, budget=budget)
            print(f"{budget.progress(len(planned))}  {said}", file=sys.stderr, flush=True)
        budget.planned_made()
    series.finish()


def run(series: Series, scenario: Scenario, measure: Measure, *, block: int, attempts: int, budget: Budget) -> str:
    """Until a run is valid, or enough were void; what to tell of it."""
    try:
        for attempt in range(series.attempts(block, scenario.name), attempts):
            row = measure(scenario, capacity(series, scenario))
            row["void"] = [*validity.reasons(row, series.runs), *row["void"]]
            series.save({"block": block, "attempt": attempt, **row})
            budget.made()
            if not row["void"] or not budget.allows_another:
                break
    except NotMeasurable as error:
        series.leave_out(scenario.name, str(error))
        return f"{scenario.name}: not measured, {error}"
    return told(row, block)


def capacity(series: Series, scenario: Scenario) -> float | None:
    """What the scenario's server can answer our own generator; raises NotMeasurable where it was not measured."""
    if not scenario.capacity_of:
        return None
    # A disturbed run tells well enough how much to ask for.
    made = series.of(scenario.capacity_of) or series.made(scenario.capacity_of)
    cores = series.head["environment"]["cores"]
    rates = [answerable(run, cores, scenario.workers) for run in made if "requests_per_second" in run]
    if not rates:
        raise NotMeasurable(f"its rate is a share of what {scenario.capacity_of} answers, which was not measured")
    return float(median(rates))


def answerable(run: Row, cores: int, workers: int) -> float:
    """
    What a closed loop answered, less what our own generator takes of the cores beyond what that loop's took.

    Where some core serves nobody, the generator has that one.
    """
    rate = float(run["requests_per_second"])
    if workers < cores:
        return rate
    server, generator = (run[f"{who}_cpu_seconds"] / run["requests"] for who in ("server", "generator"))
    return rate * float((server + generator) / (server + max(generator, OWN_CPU_SECONDS)))


def told(row: Row, block: int) -> str:
    rate = row.get("requests_per_second") or row.get("saturation_per_second")
    said = f"block {block + 1}  {row['scenario']:<34} " + (f"{rate:>9,.0f} requests/s" if rate else "")
    return f"{said}  void: {'; '.join(row['void'])}" if row["void"] else said
