"""The highest rate of Poisson arrivals at which a server keeps its objective, found and then confirmed."""

from collections.abc import Callable
from typing import Protocol

from benchmarks.accounting import Accountable, observed
from benchmarks.failures import GeneratorSaturated
from benchmarks.generators import OWN, Generator, Schedule
from benchmarks.load_generator.outcome import FEWEST
from benchmarks.markdown import Row
from benchmarks.questions import CheckedPlan

# Latency objective: so many times the p50 of an idle server, and not below what a client would notice.
TIMES_UNLOADED = 5
LEAST_OBJECTIVE_SECONDS = 0.025
UNLOADED = 0.05
# Shares of the requests: unanswered or refused at most, answered within the window at least.
MOST_FAILED = 0.001
LEAST_ACHIEVED = 0.99
# A queue that only grows makes those who come last wait longer than those who came first.
MOST_BACKLOG = 1.2
PRECISION = 0.03
LEAST_SOUGHT = 0.05
# As arrivals are drawn, a window may bring fewer than it should.
MORE = 1.2
TRIES = 2
CONFIRMATIONS = 5
MOST_CONFIRMED = 25
BACK_OFF = 0.97


class Target(Accountable, Protocol):
    port: int


Probe = Callable[[float], Row]


def search(target: Target, plan: CheckedPlan, *, capacity: float, seed: int) -> Row:
    """
    The rate, in requests per second, with all that was tried on the way.

    `capacity` is what a closed loop got: the search begins between nothing and a tenth more (MLPerf's server scenario:
    a candidate by bisection, then so many confirming runs, and less where one of them fails).
    """
    idle = schedule(UNLOADED * capacity, seed, overload=False)
    unloaded = idle.load(target.port, plan, plan.window_seconds)
    objective = objective_of(unloaded["p50_seconds"])
    number = 0

    def probe(rate: float) -> Row:
        """Made again where it was the load generator that failed; raises GeneratorSaturated where it fails again."""
        nonlocal number
        for _ in range(TRIES):
            number += 1
            row = schedule(rate, seed + number, overload=True).load(
                target.port, plan, seconds_for(plan.window_seconds, rate)
            )
            if not row["void"]:
                return judged(rate, row, objective)
        raise GeneratorSaturated(f"in the search, at {rate:,.0f} requests/s: {row['void'][0]}")

    def searching() -> Row:
        probes = bisected(probe, 0.0, 1.1 * capacity)
        best = max((each["offered_per_second"] for each in probes if each["passed"]), default=0.0)
        saturation, confirmations = confirmed(probe, best)
        return {"probes": probes, "confirmations": confirmations, "saturation_per_second": saturation}

    found = observed(target, searching)
    return {**found, "objective_seconds": objective, "void": [], "generator": OWN}


def seconds_for(window_seconds: float, rate: float) -> float:
    """The window, or as long as it takes for a p99 to mean something."""
    return max(window_seconds, FEWEST[99] * MORE / rate)


def schedule(rate: float, seed: int, *, overload: bool) -> Generator:
    return Schedule("poisson", rate=rate, seed=seed, overload=overload)


def objective_of(unloaded_seconds: float) -> float:
    """Of the p99, in seconds, from the p50 of an idle server."""
    return max(TIMES_UNLOADED * unloaded_seconds, LEAST_OBJECTIVE_SECONDS)


def bisected(probe: Probe, low: float, high: float, precision: float = PRECISION) -> list[Row]:
    """Probes between a rate that is met and one that is not, until they are so near, or hardly any rate is left."""
    probes: list[Row] = []
    floor = LEAST_SOUGHT * high
    while high - low > precision * high and high > floor:
        rate = (low + high) / 2
        probes.append(probe(rate))
        low, high = (rate, high) if probes[-1]["passed"] else (low, rate)
    return probes


def confirmed(probe: Probe, rate: float) -> tuple[float, list[Row]]:
    """The rate that passes five times in a row, 3 % less after each that does not; 0 where none is found in time."""
    probes: list[Row] = []
    passed = 0
    while rate > 0 and passed < CONFIRMATIONS:
        if len(probes) == MOST_CONFIRMED:
            return 0.0, probes
        probes.append(probe(rate))
        passed = passed + 1 if probes[-1]["passed"] else 0
        rate = rate if passed else rate * BACK_OFF
    return rate, probes


def judged(rate: float, row: Row, objective: float, *, least_growth_seconds: float = 0.0) -> Row:
    """
    Whether a window kept the objective, and if not, what it was that failed first.

    A queue has grown only where the wait did by more than `least_growth_seconds`: in short windows it goes up and down.
    """
    offered = row["offered_per_second"] * row["seconds"]
    failed = row["refused"] + sum(row["errors"].values())
    first, last = row["median_first_third_seconds"], row["median_last_third_seconds"]
    faults = {
        f"p99 over {objective * 1e3:.0f} ms": row["p99_seconds"] is None or row["p99_seconds"] > objective,
        "requests failed or were refused": failed > MOST_FAILED * offered,
        "fewer answers than requests": row["requests"] < LEAST_ACHIEVED * offered,
        "the queue grew": first is None
        or last is None
        or last > max(MOST_BACKLOG * first, first + least_growth_seconds),
    }
    why = next((fault for fault, true in faults.items() if true), "")
    return {
        "offered_per_second": rate,
        "p99_seconds": row["p99_seconds"],
        "answered_share": row["requests"] / offered,
        "lag_p99_seconds": row["lag_p99_seconds"],
        "passed": not why,
        "why": why,
    }
