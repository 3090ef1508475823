"""The queue pattern beside direct answers: the same batch, asked for at once or as a background job that is polled."""

import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.engine.client import run
from benchmarks.markdown import Row
from benchmarks.questions import bodies, expected
from benchmarks.subjects import Subject
from benchmarks.surroundings.queue_clients import AS_A_JOB, DIRECTLY, Batches, loaded
from benchmarks.surroundings.queue_servers import DIRECT, serving_jobs, ways

CLIENTS = (1, 8, 32)


def measure(subject: Subject, conditions: Row, folder: Path) -> Row:
    """Raises RunFailed where one result is not there, or wrong."""
    order = random.Random(conditions["seed"])
    asked = [Batches(rows, bodies(subject, rows), expected("whole", subject, rows=rows)) for rows in conditions["rows"]]
    # One row is asked as a batch too: what is compared is the way, not the address.
    asked = [as_batches(subject, each) if each.rows == 1 else each for each in asked]
    loads = [(batches, clients) for batches in asked for clients in conditions["clients"]]
    all_ways = ways()
    return {
        "queue": [
            row
            for block in range(conditions["repetitions"])
            for way in order.sample(all_ways, len(all_ways))
            for row in visit(
                way, subject, order.sample(loads, len(loads)), block=block, folder=folder,
                seconds=conditions["queue_window_seconds"],
            )
        ]
    }  # fmt: skip


def as_batches(subject: Subject, one: Batches) -> Batches:
    instances = [next(iter(json.loads(body).values())) for body in one.bodies]
    return Batches(
        1, [json.dumps({"texts": [each]}).encode() for each in instances],
        [{"predictions": [right]} for right in one.expected],
    )  # fmt: skip


def visit(
    way: str, subject: Subject, loads: Sequence[tuple[Batches, int]], *, block: int, folder: Path, seconds: float
) -> list[Row]:
    """A fresh server, and what stands behind it, under each load in turn."""
    below = folder / f"{block}-{way.replace(' ', '-')}"
    below.mkdir()
    rows = []
    with serving_jobs(way, subject, below) as server:
        for batches, clients in loads:
            figures = run(loaded(server.port, DIRECTLY if way == DIRECT else AS_A_JOB, batches, clients, seconds))
            rows.append({"block": block, "way": way, "rows": batches.rows, "clients": clients, **figures})
    print(f"block {block + 1}  {way}", file=sys.stderr, flush=True)
    return rows
