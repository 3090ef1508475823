"""The search for the highest rate of arrivals whose p99 keeps an objective, in short windows."""

import random

from benchmarks.failures import AllRefused, RequestsFailed
from benchmarks.generators import Schedule
from benchmarks.load_generator.outcome import FEWEST, KINDS
from benchmarks.load_generator.records import BROKEN, NOT_CONNECTED
from benchmarks.markdown import Row
from benchmarks.questions import CheckedPlan
from benchmarks.saturation import MORE, Probe, bisected, judged, seconds_for
from benchmarks.served import served_when_settled

# A moment's disturbance does not decide: a rate is given up when two windows in a row fail.
TRIES = 2
# Shares and multiples of the objective.
LEAST_GROWTH = 0.2
TIMES_WINDOW = 10
TIMES_TIMEOUT = 4
LEAST_TIMEOUT_SECONDS = 1.0
# Where nothing in between is held, this share of it decides whether less is looked for.
LEAST_SHARE = 0.1
# A p99 of fewer takes longer than a minute.
MOST_WINDOW_SECONDS = 60.0
LEAST_RATE = FEWEST[99] * MORE / MOST_WINDOW_SECONDS
BROKEN_CONNECTIONS = [KINDS[each] for each in (BROKEN, NOT_CONNECTED)]


def probing(
    port: int, plan: CheckedPlan, *, seconds: float, objective_seconds: float, seed: int, tries: int = TRIES
) -> Probe:
    """
    Windows of Poisson arrivals; one raises RunFailed where an answer was wrong, or where a request failed other than by
    being too late or refused by a server that was asked too much.

    What our own generator lags behind its schedule is in its latencies. It is not told apart from the server's: both
    share the cores of this host, so that a candidate that leaves it none is judged by that too; `void` says where.
    """
    least = max(seconds, TIMES_WINDOW * objective_seconds)
    timeout = max(LEAST_TIMEOUT_SECONDS, TIMES_TIMEOUT * objective_seconds)
    seeds = random.Random(seed)

    def tried(rate: float) -> Row:
        arrivals = Schedule("poisson", rate=rate, seed=seeds.randrange(2**31), overload=True, timeout_seconds=timeout)
        # What a window with too much in it has left is not the next one's.
        served_when_settled(port)
        try:
            row = arrivals.load(port, plan, seconds_for(least, rate))
        except AllRefused as error:
            return {"offered_per_second": rate, "passed": False, "why": str(error)}
        found = judged(rate, row, objective_seconds, least_growth_seconds=LEAST_GROWTH * objective_seconds)
        broken = sum(row["errors"].get(kind, 0) for kind in BROKEN_CONNECTIONS)
        if found["passed"] and broken:
            raise RequestsFailed(f"{broken} connections broke at {rate:,.0f} requests/s, which were not too many")
        return {**found, "void": row["void"]}

    def probe(rate: float) -> Row:
        """The first window that passes, or the last."""
        for _ in range(tries):
            found = tried(rate)
            if found["passed"]:
                break
        return found

    return probe


def searched(probe: Probe, low: float, high: float, *, precision: float) -> list[Row]:
    """Bisected; where no rate in between is held below, too, if hardly any is, and where all are above."""
    floor = max(LEAST_RATE, LEAST_SHARE * high)
    probes = bisected(probe, low, high, precision)
    if floor < low and not any(each["passed"] for each in probes):
        probes = [*probes, probe(floor)]
        if probes[-1]["passed"]:
            probes += bisected(probe, floor, low, precision)
    while all(each["passed"] for each in probes):
        low, high = high, high * high / low
        probes = probes + bisected(probe, low, high, precision)
    return probes
