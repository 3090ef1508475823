"""`make bench-protocol`: Forkcast and MLServer, asked in the Open Inference Protocol V2 that both speak."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence

from benchmarks import series_options
from benchmarks.environment import environment
from benchmarks.generators import OWN
from benchmarks.markdown import Row
from benchmarks.peers.asked import Asked
from benchmarks.peers.filling import add_options, begun, conditions_of, fill, parsed
from benchmarks.peers.measuring import loaded, measured
from benchmarks.peers.server import PeerServer
from benchmarks.protocol.arms import ARMS, CONNECTIONS, ProtocolArm
from benchmarks.protocol.asked import questions
from benchmarks.questions import CheckedPlan
from benchmarks.reporting import protocol_table
from benchmarks.subjects import Subject, SubjectName, subject


def measuring(models: Mapping[SubjectName, Subject], conditions: Row) -> Callable[[ProtocolArm], Row]:
    """What is asked in each arm is worked out once."""
    asked = {arm.name: questions(arm, models[arm.model]) for arm in ARMS}
    return lambda arm: measured(arm, models[arm.model].artifact, asked[arm.name], conditions, figures_of=under_load)


def under_load(server: PeerServer, plan: CheckedPlan, asked: list[Asked]) -> Row:
    figures, _ = loaded(server, plan, (CONNECTIONS,))
    return figures


def benchmarked(options: argparse.Namespace) -> int:
    """The exit status: 1 where something that is asked for does not hold."""
    models = {name: subject(name, seed=options.seed) for name in dict.fromkeys(arm.model for arm in ARMS)}
    told = {name: f"{each.metadata.name} {each.metadata.version}" for name, each in models.items()}
    conditions = conditions_of(options, models=told)
    described = environment(models["text"].metadata, OWN)
    series = begun(options, benchmark=protocol_table.BENCHMARK, environment=described, conditions=conditions, arms=ARMS)
    print(f"in {series.folder}", file=sys.stderr)
    fill(series, ARMS, measuring(models, conditions))
    print(protocol_table.in_full(series))
    # A trial shows that all of it runs here.
    bad = series.left_out if conditions["quick"] else protocol_table.unmet(series)
    return 1 if bad else 0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.protocol", description=__doc__)
    add_options(parser)
    options = parsed(parser, arguments)
    return series_options.status_of(lambda: benchmarked(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
