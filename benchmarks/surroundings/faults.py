"""What clients notice of a feature store that fails, and how soon all is well again once it is."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from benchmarks.engine.client import run
from benchmarks.engine.figures import percentile
from benchmarks.markdown import Row
from benchmarks.server import Server
from benchmarks.surroundings.behaviours import Behaviour
from benchmarks.surroundings.doubles import ROWS, doubling
from benchmarks.surroundings.load import DEFAULTED, GOOD, REFUSED, Ended, Load, statuses
from benchmarks.surroundings.store import Store, feature_store
from benchmarks.surroundings.watch import Watch

OnFailure = Literal["refuse", "default"]
DEADLINE_SECONDS = 0.2
SLOW_SECONDS = 2 * DEADLINE_SECONDS
WELL_SECONDS = 0.005
# Of the longest answers to a client, beyond the deadline.
SLACK_SECONDS = 0.05
# A worker lets its store alone for 15 s at most.
MOST_RECOVERY_SECONDS = 15 + 1.0
# All is well when nothing was amiss for so long, and each worker has answered meanwhile.
QUIET_SECONDS = 2.0
LOOK_SECONDS = 0.05
ALLOWED: dict[OnFailure, frozenset[str]] = {
    "refuse": frozenset({GOOD, REFUSED}), "default": frozenset({GOOD, DEFAULTED}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A server that suffers."""

    workers: int
    on_failure: OnFailure


# Those of a tuple suffer side by side, each with a store of its own.
ROUNDS = tuple((Kind(workers, "refuse"), Kind(workers, "default")) for workers in (1, 2))


@dataclass(frozen=True, slots=True)
class Suffering:
    """One server under load, and its store."""

    kind: Kind
    server: Server
    store: Store
    load: Load
    watch: Watch


def measure(rounds: Sequence[Sequence[Kind]], conditions: Row, folder: Path) -> list[Row]:
    """A row for each kind of server and fault; raises WrongAnswer where a prediction was of no right features."""
    return [
        row for number, kinds in enumerate(rounds) for row in _round(kinds, conditions, folder / f"faults-{number}")
    ]


def _round(kinds: Sequence[Kind], conditions: Row, folder: Path) -> list[Row]:
    folder.mkdir()
    with ExitStack() as stack:
        all_suffering = []
        for kind in kinds:
            store = stack.enter_context(feature_store(ROWS, folder, name=f"store-{kind.on_failure}"))
            store.behave("well", WELL_SECONDS)
            settings = {
                "FORKCAST_FEATURES_TIMEOUT_SECONDS": str(DEADLINE_SECONDS),
                "FORKCAST_FEATURES_ON_FAILURE": kind.on_failure,
            }
            named = folder / kind.on_failure
            server = stack.enter_context(doubling(store, named, workers=kind.workers, settings=settings))
            load = Load(server.port, rate=conditions["rate"], seed=conditions["seed"])
            all_suffering.append(Suffering(kind, server, store, load, Watch(server, store)))
        return run(_all(all_suffering, conditions))


async def _all(all_suffering: Sequence[Suffering], conditions: Row) -> list[Row]:
    each = await asyncio.gather(*(_suffer(suffering, conditions) for suffering in all_suffering))
    return [row for rows in each for row in rows]


async def _suffer(suffering: Suffering, conditions: Row) -> list[Row]:
    """All faults in turn, each until the server is well again, under one load that never pauses."""
    beside = asyncio.gather(suffering.load.run(), suffering.watch.run())
    await _well_since(suffering, time.perf_counter(), conditions["patience_seconds"])
    rows = [await _phase(suffering, fault, conditions) for fault in ("well", *conditions["faults"])]
    suffering.load.stop()
    suffering.watch.stop()
    await beside
    return rows


async def _phase(suffering: Suffering, fault: Behaviour, conditions: Row) -> Row:
    store = suffering.store
    await asyncio.to_thread(store.behave, fault, SLOW_SECONDS if fault == "slow" else WELL_SECONDS)
    began, suffering.load.most_late = time.perf_counter(), 0.0
    await asyncio.sleep(conditions["phase_seconds"])
    over, most_late = time.perf_counter(), suffering.load.most_late
    await asyncio.to_thread(store.behave, "well", WELL_SECONDS)
    recovery_seconds = await _well_since(suffering, time.perf_counter(), conditions["patience_seconds"])
    while suffering.load.is_waiting(over):
        await asyncio.sleep(LOOK_SECONDS)
    ended = suffering.load.due_between(began, over)
    seconds = [each.seconds for each in ended]
    row = {
        **asdict(suffering.kind),
        "fault": fault,
        "requests": len(ended),
        "statuses": statuses(ended),
        "p50_seconds": percentile(seconds, 50),
        "p99_seconds": percentile(seconds, 99),
        "longest_seconds": max(seconds),
        "most_late_seconds": most_late,
        "slack_seconds": SLACK_SECONDS,
        "let_alone": asdict(suffering.watch.let_alone(began, over)),
        "recovery_seconds": recovery_seconds,
    }
    return {**row, "holds": holds(row)}


async def _well_since(suffering: Suffering, moment: float, patience_seconds: float) -> float | None:
    """As `recovery`, once that is known; None where it is not within so many seconds."""
    while (now := time.perf_counter()) < moment + patience_seconds:
        seconds = recovery(suffering.load.ended, moment, now, suffering.kind.workers)
        if seconds is not None:
            return seconds
        await asyncio.sleep(LOOK_SECONDS)
    return None


def recovery(all_ended: Sequence[Ended], moment: float, now: float, workers: int) -> float | None:
    """Seconds from the moment to the last request that did not have what is stored; None where all is not well yet."""
    since = [each for each in all_ended if each.due >= moment]
    amiss = max((each.at for each in since if each.what != GOOD), default=moment)
    answered_by = {each.worker for each in since if each.due > amiss}
    return amiss - moment if now - amiss > QUIET_SECONDS and len(answered_by) == workers else None


def holds(row: Row) -> bool:
    """Whether clients had their answers in time, no others than those that are configured, and all became well."""
    in_time = row["p99_seconds"] <= DEADLINE_SECONDS + SLACK_SECONDS
    recovered = row["recovery_seconds"] is not None and row["recovery_seconds"] <= MOST_RECOVERY_SECONDS
    allowed = {GOOD} if row["fault"] == "well" else ALLOWED[row["on_failure"]]
    return bool(in_time and recovered and row["statuses"].keys() <= allowed)
