"""One run of one scenario: a fresh server, warmed up, loaded once and checked, between two calibrations."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from benchmarks.accounting import observed, sharing
from benchmarks.baselines import plain_loop
from benchmarks.bystander import standing_by
from benchmarks.failures import GeneratorSaturated, RequestsFailed
from benchmarks.generators import NOT_MEASURED, ClosedLoop, Schedule, closed_loop
from benchmarks.load_generator.plan import TOLERANCE
from benchmarks.machine import calibration_seconds
from benchmarks.markdown import Row
from benchmarks.processes import processor_ticks, steal_share
from benchmarks.questions import TOLERANCES, CheckedPlan, plan_of
from benchmarks.repetition import Target
from benchmarks.result_file import moment
from benchmarks.saturation import search
from benchmarks.scenarios import Scenario
from benchmarks.served import Served, check_counts, served_when_settled
from benchmarks.stock_servers import Stock
from benchmarks.subjects import Subject
from benchmarks.techniques import is_forkcast, server_of, style_of
from benchmarks.workload import check_answers, check_every_worker

# Only Forkcast's workers count what they do.
NOT_COUNTED: Row = {"served_by_worker": None, "mean_batch_size": None}
# A little warm-up leaves a few of the bodies unasked in each worker's cache.
LEAST_HITS = 0.98
# Known instances are asked before and after the load; under it, the generator that can checks all.
KNOWN = 32


def measured(scenario: Scenario, subject: Subject, conditions: Row, folder: Path, capacity: float | None) -> Row:
    """
    The run's row; `capacity` is what a scenario by schedule takes its rate from, in requests per second.

    Raises RunFailed where an answer failed or was wrong. What only casts doubt on the machine or on the load generator
    is in the row, as `void`.
    """
    started, before = moment(), calibration_seconds()
    try:
        figures = figures_of(scenario, subject, conditions, folder, capacity)
    except GeneratorSaturated as error:
        # The answers were right, but whose limit it was is doubtful.
        figures = {"void": [str(error)], "steal_share": 0.0}
    times = {"started": started, "ended": moment(), "calibration_seconds": [before, calibration_seconds()]}
    return {"scenario": scenario.name, **times, **figures}


def figures_of(scenario: Scenario, subject: Subject, conditions: Row, folder: Path, capacity: float | None) -> Row:
    plan = plan_of(
        subject, style=style_of(scenario), rows=scenario.rows, known=KNOWN, folder=folder,
        warm_up_seconds=conditions["warm_up_seconds"], window_seconds=conditions["window_seconds"],
        tolerance=TOLERANCES.get(scenario.technique, TOLERANCE),
    )  # fmt: skip
    if scenario.technique == "plain_loop":
        return without_http(scenario, subject, plan, folder)
    with server_of(scenario, subject, folder) as server, checked(scenario, server, plan):
        if scenario.arrivals == "search":
            return search(server, plan, capacity=capacity or 0.0, seed=conditions["seed"])
        return window(scenario, server, plan, generator_of(scenario, conditions["seed"], capacity))


def generator_of(scenario: Scenario, seed: int, capacity: float | None) -> ClosedLoop | Schedule:
    if scenario.arrivals == "closed":
        return closed_loop(scenario)
    rate = scenario.load * (capacity or 0.0)
    return Schedule(scenario.arrivals, rate=rate, seed=seed, overload=scenario.load >= 1)


def window(scenario: Scenario, server: Target, plan: CheckedPlan, generator: ClosedLoop | Schedule) -> Row:
    """The load, after as much of it as warms the server up; of Forkcast also what it counted meanwhile."""
    warming = closed_loop(scenario) if isinstance(generator, Schedule) else generator
    warmed = {"warm_up_requests_per_second": warming.warm_up(server, plan)}
    if isinstance(server, Stock):
        row = loaded(server, plan, generator)
        return {**row, **warmed, **sharing(server.of_workers(row["cpu_seconds_by_process"])), **NOT_COUNTED}
    cached = dict(scenario.settings).get("FORKCAST_CACHE_ENTRIES", "0") != "0"
    counted = served_when_settled(server.port, cached=cached)
    row = loaded(server, plan, generator)
    during = served_when_settled(server.port, cached=cached).since(counted)
    # Beside what it gave up on, our own generator reads every answer.
    unread = sum(row["errors"].values()) if generator.exact else scenario.connections
    refused = row.get("refused", 0)
    # Nor does anybody read the refusal of a connection that was given up; the bystander's own are counted too.
    unseen = unread + (row["bystander"] or {"failed": 0})["failed"] if isinstance(generator, Schedule) else 0
    check_counts(during, answered=row["requests"], connections=unread, refused=refused, most_refused=refused + unseen)
    if cached:
        row["cache_hit_share"] = hit_share(during)
    batches = during.mean_batch_size if during.batches else None
    # The server's own counts hold those of the bystander too.
    answered = row.get("answered_by_worker") or during.by_worker
    served = {"served_by_worker": during.by_worker, "mean_batch_size": batches}
    return {**row, **warmed, **sharing(list(answered.values())), **served}


def hit_share(during: Served) -> float:
    """Raises RequestsFailed where the cache was asked for so much that it did not know that its worth is not shown."""
    share = during.hit / (during.hit + during.miss) if during.hit else 0.0
    if share < LEAST_HITS:
        raise RequestsFailed(f"the prediction cache knew {share:.1%} of what it was asked for, not {LEAST_HITS:.0%}")
    return share


def loaded(server: Target, plan: CheckedPlan, generator: ClosedLoop | Schedule) -> Row:
    overload = isinstance(generator, Schedule) and generator.overload
    with standing_by(server.port) as bystander:
        row = observed(server, lambda: generator.load(server.port, plan, plan.window_seconds))
        started = row.pop("started")
    return {**row, "bystander": bystander.waited(started, plan.window_seconds, overload=overload)}


def without_http(scenario: Scenario, subject: Subject, plan: CheckedPlan, folder: Path) -> Row:
    """The ceiling: nothing is asked, so that nothing was refused, balanced or stood by."""
    ticks = processor_ticks()
    loop = plain_loop.measure(
        str(subject.artifact), plan.bodies, workers=scenario.workers, threads=scenario.threads,
        warm_up_seconds=plan.warm_up_seconds, seconds=plan.window_seconds, folder=folder,
    )  # fmt: skip
    said = {"steal_share": steal_share(ticks, processor_ticks()), "generator": "none", "generator_cpu_seconds": 0.0}
    return {**NOT_MEASURED, **asdict(loop), **said, **sharing(loop.cpu_seconds_by_process), **NOT_COUNTED}


@contextmanager
def checked(scenario: Scenario, server: Target, plan: CheckedPlan) -> Iterator[None]:
    """
    Around a load: known instances are answered rightly before and after; raises RequestsFailed or WrongAnswer.

    A window with too much in it leaves connections that the server has yet to see the end of, and meanwhile it may have
    no room for another. A stock server does not say when it is done.
    """
    check(scenario, server, plan)
    yield
    if is_forkcast(scenario):
        served_when_settled(server.port)
    check(scenario, server, plan)


def check(scenario: Scenario, server: Target, plan: CheckedPlan) -> None:
    """Known instances, until each of Forkcast's workers has answered; a stock server does not say who did."""
    if is_forkcast(scenario):
        check_every_worker(server.port, plan.known, scenario.workers)
    else:
        check_answers(server.port, plan.known)
