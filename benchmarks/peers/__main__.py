"""`make bench-peers`: Forkcast beside what else serves a scikit-learn model; each answer is checked."""

import argparse
import sys
from collections.abc import Callable, Sequence

from benchmarks import series_options
from benchmarks.environment import environment
from benchmarks.generators import OWN
from benchmarks.markdown import Row
from benchmarks.peers.asked import questions
from benchmarks.peers.catalogue import ARMS, PEERS
from benchmarks.peers.contract import Arm
from benchmarks.peers.filling import add_options, begun, conditions_of, fill, parsed
from benchmarks.peers.measuring import loaded_and_hurt, measured
from benchmarks.reporting import peers_in_full
from benchmarks.subjects import Subject, subject


def measuring(arms: Sequence[Arm], model: Subject, conditions: Row) -> Callable[[Arm], Row]:
    """What is asked of each peer is worked out once."""
    asked = {peer: questions(PEERS[peer], model) for peer in {arm.peer for arm in arms}}
    return lambda arm: measured(arm, model.artifact, asked[arm.peer], conditions, figures_of=loaded_and_hurt)


def benchmarked(options: argparse.Namespace) -> int:
    conditions = {**conditions_of(options, model=options.model), "quick": options.quick or bool(options.only)}
    arms = [arm for arm in ARMS if not options.only or arm.peer in options.only]
    model = subject(options.model, seed=options.seed)
    described = environment(model.metadata, OWN)
    series = begun(options, benchmark="peers", environment=described, conditions=conditions, arms=arms)
    print(f"in {series.folder}", file=sys.stderr)
    fill(series, arms, measuring(arms, model, conditions))
    print(peers_in_full.render(series))
    for name, why in series.left_out.items():
        print(f"left out: {name}, {why}", file=sys.stderr)
    # A trial shows that all of it runs here.
    return 1 if conditions["quick"] and series.left_out else 0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PEERS, metavar="PEER", help=f"of {', '.join(PEERS)}; no result")
    parser.add_argument("--model", choices=("text", "boosting"), default="text", help="what is served (default: text)")
    add_options(parser)
    options = parsed(parser, arguments)
    return series_options.status_of(lambda: benchmarked(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
