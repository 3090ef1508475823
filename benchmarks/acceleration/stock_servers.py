"""The baselines as servers: uvicorn alone, or stock Gunicorn with its UvicornWorker."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.http_client import HOST
from benchmarks.repetition import Plan, Target, Watched, warm_up, watched
from benchmarks.server import NOT_INHERITED, Process, free_port, started, until_stopped
from benchmarks.workload import check_answers

# As Forkcast does for its own workers: one process a core is all the parallelism there is.
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR")}
# Gunicorn would else take the one that lies in the folder where it is started; its control socket is a file there.
CONFIGURATION = "control_socket_disable = True\n"


class Alone(Process):
    """One process, which serves."""

    others = 0


@dataclass(frozen=True, slots=True)
class StockFigures(Watched):
    """A stock worker counts nothing: `busiest_share` is of the serving processes' processor time."""

    warm_up_requests_per_second: float
    busiest_share: float


@contextmanager
def stock(baseline: str, *, workers: int, model_uri: str, folder: Path) -> Iterator[Process]:
    """A baseline that is ready: one worker is uvicorn alone; its output goes to a file in `folder`."""
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    environment = {**inherited, **ONE_THREAD, "MODEL_URI": model_uri}
    log = folder / "baseline.log"
    kind = Alone if workers == 1 else Process
    process = started(command(baseline, workers=workers, port=port, folder=folder), log, environment)
    with until_stopped(kind(process, port=port, workers=workers, log=log)) as server:
        yield server


def command(baseline: str, *, workers: int, port: int, folder: Path) -> list[str]:
    app = f"benchmarks.baselines.{baseline}:app"
    if workers == 1:
        # As of Gunicorn's worker: each request is not logged.
        return [sys.executable, "-m", "uvicorn", app, "--host", HOST, "--port", str(port), "--no-access-log"]
    configuration = folder / "stock.conf.py"
    configuration.write_text(CONFIGURATION)
    return [
        sys.executable, "-m", "gunicorn", "-c", str(configuration), "-b", f"{HOST}:{port}", "-w", str(workers),
        "-k", "uvicorn_worker.UvicornWorker", app,
    ]  # fmt: skip


def measure_stock(target: Target, plan: Plan, connections: int) -> StockFigures:
    """As `repetition.measure`, of a server that does not say who answered."""
    check_answers(target.port, plan.known)
    warmed = warm_up(target, plan, connections)
    window = watched(target, plan, connections)
    check_answers(target.port, plan.known)
    serving = window.cpu_seconds_by_process[-target.workers :]
    fields = {name: getattr(window, name) for name in Watched.__dataclass_fields__}
    return StockFigures(
        **fields,
        warm_up_requests_per_second=warmed.requests_per_second,
        busiest_share=max(serving) / sum(serving),
    )
