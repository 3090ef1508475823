"""Does throughput follow processes or threads? `make bench` measures it, on the model that is served."""

import argparse
import fnmatch
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from app.processes.cores import usable_cores
from benchmarks import generators, grid, series_options
from benchmarks.analysis.claimed import cells_of_claims
from benchmarks.cell import measured
from benchmarks.environment import environment
from benchmarks.experiments import experiments
from benchmarks.markdown import Row
from benchmarks.reporting.__main__ import EXPERIMENTS, publish
from benchmarks.running import ATTEMPTS, Measure, fill
from benchmarks.scenarios import ModelName, Scenario, headline
from benchmarks.series import Series, new_folder
from benchmarks.subjects import Subject, subject

# `make bench` ends within a quarter of an hour.
MOST_SECONDS = 14 * 60.0


def scenarios_of(benchmark: str, only: str | None, *, quick: bool) -> tuple[Scenario, ...]:
    """
    The six of `bench`, the grid of `full`, or of it what the `claims` rest on.

    `only` is a pattern of names, which brings what their rates need.
    """
    every = {"bench": headline, "claims": claimed, "full": grid.full}[benchmark]()
    if quick:
        return quickly(every)
    if only is None:
        return every
    wanted = {each.name for each in every if fnmatch.fnmatch(each.name, only)}
    wanted |= {each.capacity_of for each in every if each.name in wanted}
    return tuple(each for each in every if each.name in wanted)


def claimed() -> tuple[Scenario, ...]:
    named = cells_of_claims(usable_cores())
    return tuple(each for each in grid.full() if each.name in named)


def quickly(every: Sequence[Scenario]) -> tuple[Scenario, ...]:
    """A few, and what shows that our own load generator runs, in a closed loop and by schedule."""
    baseline, *_, numpy_threads = every
    fresh = baseline.but("fresh", "A connection for each request?", keep_alive=False)
    return (baseline, numpy_threads, fresh, grid.arrivals_of(baseline, (0.3, 0.5))[0])


def measuring(subjects: dict[ModelName, Subject], conditions: Row, folder: Path) -> Measure:
    """Each model that is asked for is made or fitted once, before its first run."""

    def measure(scenario: Scenario, capacity: float | None) -> Row:
        if scenario.model not in subjects:
            subjects[scenario.model] = subject(scenario.model, seed=conditions["seed"])
        return measured(scenario, subjects[scenario.model], conditions, folder, capacity)

    return measure


def series_of(options: argparse.Namespace, conditions: Row, scenarios: Sequence[Scenario], served: Subject) -> Series:
    """A new one, or the one to go on with; raises NotResumable."""
    described = environment(served.metadata, generators.described())
    if options.resume is None:
        folder = options.out or new_folder(options.benchmark, trial=options.quick or options.only is not None)
        return Series.begin(
            folder, benchmark=options.benchmark, environment=described, conditions=conditions, scenarios=scenarios
        )
    series = Series(options.resume)
    series.check_resumable(environment=described, conditions=conditions, scenarios=scenarios)
    return series


def main(arguments: Sequence[str]) -> int:
    options = parsed(arguments)
    conditions = {
        "quick": options.quick or options.only is not None,
        "repetitions": 1 if options.quick else options.repetitions,
        "warm_up_seconds": 1 if options.quick else 3,
        "window_seconds": 1 if options.quick else 10,
        "seed": options.seed,
    }
    scenarios = scenarios_of(options.benchmark, options.only, quick=options.quick)
    return series_options.status_of(lambda: benchmarked(options, conditions, scenarios))


def benchmarked(options: argparse.Namespace, conditions: Row, scenarios: Sequence[Scenario]) -> int:
    """The exit status; raises RunFailed where a run failed: nothing more is measured then, and nothing is reported."""
    model: ModelName = "served" if options.benchmark == "bench" else "text"
    subjects = {model: subject(model, seed=options.seed)}
    series = series_of(options, conditions, scenarios, subjects[model])
    print(f"in {series.folder}", file=sys.stderr)
    quick = conditions["quick"]
    with tempfile.TemporaryDirectory(prefix="forkcast-benchmark-") as folder:
        fill(
            series, scenarios, measuring(subjects, conditions, Path(folder)), blocks=conditions["repetitions"],
            attempts=1 if quick else ATTEMPTS, seconds=MOST_SECONDS if options.benchmark == "bench" else None,
        )  # fmt: skip
    if options.benchmark != "bench" and not quick:
        series.add(EXPERIMENTS, experiments)
    publish(series)
    for name, why in series.left_out.items():
        print(f"not measured: {name}, {why}", file=sys.stderr)
    # A trial shows that all of it runs here.
    return 1 if quick and series.left_out else 0


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__)
    parser.add_argument(
        "benchmark", nargs="?", choices=("bench", "claims", "full"), default="bench", help="default: bench"
    )
    parser.add_argument("--quick", action="store_true", help="about a minute, to show that it runs; no result")
    parser.add_argument("--only", metavar="PATTERN", help="scenarios whose name matches, as text-*; no result")
    series_options.add(parser, what="scenario", repetitions=5)
    options = parser.parse_args(arguments)
    if options.quick and options.benchmark != "bench":
        parser.error("only the headline can be measured quickly")
    series_options.check(parser, options)
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
