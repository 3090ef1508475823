"""`make bench-peers`: Forkcast beside what else serves a scikit-learn model; each answer is checked."""

import argparse
import random
import sys
from collections.abc import Callable, Sequence

from app.environment import SettingsInvalid
from app.errors import ForkcastError
from benchmarks import series_options, validity
from benchmarks.environment import environment
from benchmarks.failures import RunFailed
from benchmarks.generators import OWN
from benchmarks.interruption import INTERRUPTED, interruptible
from benchmarks.markdown import Row
from benchmarks.peers.asked import questions
from benchmarks.peers.catalogue import ARMS, PEERS
from benchmarks.peers.contract import Arm
from benchmarks.peers.environments import versions
from benchmarks.peers.measuring import measured
from benchmarks.reporting import peers_in_full, peers_table
from benchmarks.running import Budget
from benchmarks.series import NotResumable, Series, new_folder
from benchmarks.subjects import Subject, subject

# What the machine disturbed is made again, once.
ATTEMPTS = 2


def fill(series: Series, arms: Sequence[Arm], measure: Callable[[Arm], Row]) -> None:
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


def run(series: Series, arm: Arm, measure: Callable[[Arm], Row], block: int) -> None:
    """Until a run is valid, or enough were void; nothing where one failed before."""
    quick = series.head["conditions"]["quick"]
    attempts = 1 if quick else ATTEMPTS
    while arm.name not in series.left_out and not series.has(block, arm.name, attempts):
        row = measure(arm)
        # A trial is no result on any machine.
        row["void"] = [*([] if quick else validity.reasons(row, series.runs)), *row["void"]]
        series.save({"block": block, "attempt": series.attempts(block, arm.name), **row})


def measuring(arms: Sequence[Arm], model: Subject, conditions: Row) -> Callable[[Arm], Row]:
    """What is asked of each peer is worked out once."""
    asked = {peer: questions(PEERS[peer], model) for peer in {arm.peer for arm in arms}}
    return lambda arm: measured(arm, model.artifact, asked[arm.peer], conditions)


def told(series: Series, arm: Arm) -> str:
    if arm.name in series.left_out:
        return f"{arm.name}: left out, {peers_table.reason(series.left_out[arm.name])}"
    last = series.made(arm.name)[-1]
    rates = ", ".join(f"{load['requests_per_second']:,.0f}/s at {count}" for count, load in last["loads"].items())
    return f"{arm.name:<18} {rates}" + (f"  void: {'; '.join(last['void'])}" if last["void"] else "")


def series_of(options: argparse.Namespace, conditions: Row, arms: Sequence[Arm], model: Subject) -> Series:
    """A new one, or the one to go on with; raises NotResumable."""
    described = environment(model.metadata, OWN)
    peers = {arm.peer: versions(arm.peer) for arm in arms}
    if options.resume is None:
        folder = options.out or new_folder("peers", trial=conditions["quick"])
        return Series.begin(
            folder, benchmark="peers", environment={**described, "peers": peers}, conditions=conditions, scenarios=arms
        )
    series = Series(options.resume)
    series.check_resumable(environment=described, conditions=conditions, scenarios=arms)
    return series


def benchmarked(options: argparse.Namespace) -> int:
    conditions = conditions_of(options)
    arms = [arm for arm in ARMS if not options.only or arm.peer in options.only]
    model = subject(options.model, seed=options.seed)
    series = series_of(options, conditions, arms, model)
    print(f"in {series.folder}", file=sys.stderr)
    fill(series, arms, measuring(arms, model, conditions))
    print(peers_in_full.render(series))
    for name, why in series.left_out.items():
        print(f"left out: {name}, {why}", file=sys.stderr)
    # A trial shows that all of it runs here.
    return 1 if conditions["quick"] and series.left_out else 0


def conditions_of(options: argparse.Namespace) -> Row:
    return {
        "quick": options.quick or bool(options.only),
        "model": options.model,
        "repetitions": 1 if options.quick else options.repetitions,
        "warm_up_seconds": 1 if options.quick else 2,
        "window_seconds": 1 if options.quick else 5,
        "seed": options.seed,
    }


def main(arguments: Sequence[str]) -> int:
    options = parsed(arguments)
    interruptible()
    try:
        return benchmarked(options)
    except KeyboardInterrupt:
        print("\ninterrupted; RESUME=folder, or --resume, goes on with what is in its folder", file=sys.stderr)
        return INTERRUPTED
    except (RunFailed, NotResumable, ForkcastError, SettingsInvalid, OSError) as error:
        print(f"no result: {error}", file=sys.stderr)
        return 1


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="windows of a second, to show that it runs; no result")
    parser.add_argument("--only", nargs="+", choices=PEERS, metavar="PEER", help=f"of {', '.join(PEERS)}; no result")
    parser.add_argument("--model", choices=("text", "boosting"), default="text", help="what is served (default: text)")
    series_options.add(parser, what="arm", repetitions=3)
    options = parser.parse_args(arguments)
    series_options.check(parser, options)
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
