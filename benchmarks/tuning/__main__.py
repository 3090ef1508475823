"""
`make tune`: how to serve the model at MODEL_URI on this host, as a file of settings, with the reasons.

What is looked for is the highest rate of requests whose p99 is within an objective, in a limit of memory.
"""

import argparse
import math
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from app.environment import SettingsInvalid
from app.errors import ForkcastError
from app.processes.cores import usable_cores, usable_memory
from app.settings import ROOT
from benchmarks import generators, result_file
from benchmarks.environment import environment
from benchmarks.failures import RunFailed
from benchmarks.interruption import INTERRUPTED, interruptible
from benchmarks.markdown import Row, machine, ratio_text
from benchmarks.result_file import Document
from benchmarks.subjects import Subject
from benchmarks.tuning import env_file, why
from benchmarks.tuning.candidates import by_default
from benchmarks.tuning.exhaustive import Exhausted, exhausted
from benchmarks.tuning.halving import MEGABYTE
from benchmarks.tuning.payload import served_subject
from benchmarks.tuning.record import recorded
from benchmarks.tuning.tuning import Demand, Tuned, Tuning

OUT = ROOT / "var/tuned.env"
RECORDS = ROOT / "var/tune"


def tune(subject: Subject, demand: Demand, *, seed: int, exhaustive: bool) -> tuple[Tuned, Exhausted | None]:
    with tempfile.TemporaryDirectory(prefix="forkcast-tune-") as folder:
        tuning = Tuning(subject, demand, seed=seed, folder=Path(folder))
        tuned = tuning.tuned()
        return tuned, exhausted(tuning, tuned) if exhaustive else None


def printed(tuned: Tuned, against: Exhausted | None) -> str:
    said = [*why.as_table(tuned), "", *why.sentences(tuned, by_default(usable_cores()))]
    if against is not None:
        said.append(
            f"By an exhaustive search the best other one: {against.best.name}; the choice's rate to its is "
            f"{ratio_text(against.ratio)}."
        )
    return "\n".join(said)


def facts(tuned: Tuned, subject: Subject, document: Document, record: Path) -> list[str]:
    """What the file of settings says of where they come from."""
    model, memory = subject.metadata, tuned.demand.memory_bytes
    return [
        f"Chosen by make tune for the model {model.name} {model.version}, sha256 {model.sha256},",
        f"{tuned.demand.rows} row{'s' * (tuned.demand.rows > 1)} a request, {len(subject.bodies)} instances.",
        f"Objective: p99 within {tuned.objective_seconds * 1e3:,.0f} ms; memory of all processes: "
        + ("any." if memory is None else f"at most {why.megabytes(memory)}."),
        *why.sentences(tuned, by_default(usable_cores())),
        f"Measured without a prediction cache, with metrics and X-Worker; all figures: {record}",
        f"Where: {machine([document])}",
    ]


def saved(
    tuned: Tuned, against: Exhausted | None, *, subject: Subject, environment: Row, out: Path, records: Path = RECORDS
) -> str:
    """Writes all figures, then the file of settings; what to tell of both."""
    record = records / f"{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    document = {"benchmark": "tune", "environment": environment, **recorded(tuned, against)}
    result_file.write(document, record)
    env_file.write(out, tuned.choice.candidate.settings, facts(tuned, subject, document, record))
    how = f"MODEL_URI={subject.artifact} make serve ENV_FILE={out}"
    return f"{printed(tuned, against)}\n\nall figures: {record}\nserve with it: {how}"


def main(arguments: Sequence[str]) -> int:
    options = parsed(arguments)
    demand = Demand(
        rows=options.rows, connections=options.connections,
        objective_seconds=None if options.objective_ms is None else options.objective_ms / 1e3,
        memory_bytes=usable_memory() if options.memory_mb is None else int(options.memory_mb * MEGABYTE),
    )  # fmt: skip
    try:
        interruptible()
        env_file.check_place(options.out)
        subject = served_subject(options.payload, seed=options.seed)
        described = environment(subject.metadata, generators.described())
        tuned, against = tune(subject, demand, seed=options.seed, exhaustive=options.exhaustive)
        print(saved(tuned, against, subject=subject, environment=described, out=options.out))
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED
    except (RunFailed, ForkcastError, SettingsInvalid, OSError) as error:
        print(f"no result: {error}", file=sys.stderr)
        return 1
    return 0


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tuning", description=__doc__)
    parser.add_argument("--payload", type=Path, help="file of one JSON instance a line (default: like its example)")
    parser.add_argument("--rows", type=int, default=1, help="of each request (default: 1)")
    parser.add_argument("--connections", type=int, default=32, help="of each worker in a closed loop (default: 32)")
    parser.add_argument("--objective-ms", type=float, help="of the p99 (default: 5 idle p50, at least 25)")
    parser.add_argument("--memory-mb", type=float, help="of all processes (default: what this host allows)")
    parser.add_argument("--exhaustive", action="store_true", help="search all candidates too, to compare the choice")
    parser.add_argument("--seed", type=int, default=20, help="of the order of candidates and requests (default: 20)")
    parser.add_argument("--out", type=Path, default=OUT, help="file of settings (default: var/tuned.env)")
    options = parser.parse_args(arguments)
    least = (options.rows, options.connections)
    limits = [each for each in (options.objective_ms, options.memory_mb) if each is not None]
    if min(least) < 1 or not all(0 < each < math.inf for each in limits):
        parser.error("--rows and --connections must be at least 1, --objective-ms and --memory-mb above 0")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
