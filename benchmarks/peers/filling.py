"""The runs of a series of peers: begun, and made in blocks that hold each arm once."""

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from benchmarks import series_options, validity
from benchmarks.failures import RunFailed
from benchmarks.markdown import Row
from benchmarks.peers.contract import Arm
from benchmarks.peers.environments import versions
from benchmarks.reporting import peers_table
from benchmarks.running import Budget
from benchmarks.series import Series, new_folder

# What the machine disturbed is made again, once.
ATTEMPTS = 2
AnyArm = TypeVar("AnyArm", bound=Arm)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="windows of a second, to show that it runs; no result")
    series_options.add(parser, what="arm", repetitions=3)


def parsed(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    options = parser.parse_args(arguments)
    series_options.check(parser, options)
    return options


def conditions_of(options: argparse.Namespace, **served: Any) -> Row:
    """How often and how long each arm is asked, and what is `served`."""
    return {
        "quick": options.quick,
        "repetitions": 1 if options.quick else options.repetitions,
        "warm_up_seconds": 1 if options.quick else 2,
        "window_seconds": 1 if options.quick else 5,
        "seed": options.seed,
        **served,
    }


def fill(series: Series, arms: Sequence[AnyArm], measure: Callable[[AnyArm], Row]) -> None:
    """Make and save the runs that the series lacks; an arm of which one fails is left out, with the reason."""
    series.try_again()
    conditions = series.head["conditions"]
    order = random.Random(conditions["seed"])
    planned = [(block, arm) for block in range(conditions["repetitions"]) for arm in order.sample(arms, len(arms))]
    budget = Budget(len(planned), seconds=None)
    for block, arm in planned:
        try:
            run(series, arm, measure, block)
        except RunFailed as error:
            series.leave_out(arm.name, str(error))
        budget.made()
        print(f"{budget.progress(len(planned))}  block {block + 1}  {told(series, arm)}", file=sys.stderr, flush=True)
        budget.planned_made()
    series.finish()


def run(series: Series, arm: AnyArm, measure: Callable[[AnyArm], Row], block: int) -> None:
    """Until a run is valid, or enough were void; nothing where one failed before."""
    quick = series.head["conditions"]["quick"]
    attempts = 1 if quick else ATTEMPTS
    while arm.name not in series.left_out and not series.has(block, arm.name, attempts):
        row = measure(arm)
        # A trial is no result on any machine.
        row["void"] = [*([] if quick else validity.reasons(row, series.runs)), *row["void"]]
        series.save({"block": block, "attempt": series.attempts(block, arm.name), **row})


def told(series: Series, arm: Arm) -> str:
    if arm.name in series.left_out:
        return f"{arm.name}: left out, {peers_table.reason(series.left_out[arm.name])}"
    last = series.made(arm.name)[-1]
    rates = ", ".join(f"{load['requests_per_second']:,.0f}/s at {count}" for count, load in last["loads"].items())
    return f"{arm.name:<18} {rates}" + (f"  void: {'; '.join(last['void'])}" if last["void"] else "")


def begun(
    options: argparse.Namespace, *, benchmark: str, environment: Row, conditions: Row, arms: Sequence[Arm]
) -> Series:
    """A new one, or the one to go on with; raises NotResumable."""
    peers = {arm.peer: versions(arm.peer) for arm in arms}
    if options.resume is None:
        folder = options.out or new_folder(benchmark, trial=conditions["quick"])
        return Series.begin(
            folder, benchmark=benchmark, environment={**environment, "peers": peers}, conditions=conditions,
            scenarios=arms,
        )  # fmt: skip
    series = Series(options.resume)
    series.check_resumable(environment=environment, conditions=conditions, scenarios=arms)
    return series
