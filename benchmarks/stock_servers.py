"""The baselines as servers: uvicorn alone, or stock Gunicorn with its UvicornWorker or its own worker for ASGI."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.converted import onnx_beside
from benchmarks.http_client import HOST
from benchmarks.processes import children, tree
from benchmarks.redis_queue import queue
from benchmarks.repetition import Plan, Watched, warm_up, watched
from benchmarks.server import NOT_INHERITED, Process, free_port, started, until_stopped
from benchmarks.workload import check_answers

WorkerClass = Literal["uvicorn_worker", "asgi"]
WORKER_CLASSES: dict[WorkerClass, str] = {"uvicorn_worker": "uvicorn_worker.UvicornWorker", "asgi": "asgi"}
# As Forkcast does for its own workers: one process a core is all the parallelism there is.
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR")}
# Gunicorn would else take the one that lies in the folder where it is started; its control socket is a file there.
CONFIGURATION = "control_socket_disable = True\n"
# Techniques with threads or processes of their own, as many as is said; the pools of the others are the libraries'.
SIZED = ("run_in_executor", "process_pool")
THREADS = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """
    Of which processes a baseline is: whether an arbiter is the first, and how many each of the workers has below it.

    `beside` gives those that work for it though it did not start them.
    """

    workers: int
    arbiter: bool
    below: int = 0
    beside: Callable[[], Sequence[int]] = tuple


class Stock(Process):
    def __init__(self, process: subprocess.Popen[bytes], shape: Shape, *, port: int, log: Path) -> None:
        super().__init__(process, port=port, workers=shape.workers, log=log)
        self.shape = shape

    def pids(self) -> tuple[int, ...]:
        """
        The arbiter, if there is one, the workers that serve, then all that predicts for them elsewhere.

        Raises ServerFailed if there are more or fewer than there should be.
        """
        if self._process.poll() is not None:
            raise self.failed(f"the server ended with status {self._process.returncode}")
        first = self._process.pid
        families = [tree(worker) for worker in (children(first) if self.shape.arbiter else [first])]
        if [len(family) for family in families] != [1 + self.shape.below] * self.workers:
            sizes = ", ".join(str(len(family)) for family in families)
            wanted = f"{self.workers} of {1 + self.shape.below}"
            raise self.failed(f"the server has workers of {sizes} processes rather than {wanted}")
        workers, below = [family[0] for family in families], [pid for family in families for pid in family[1:]]
        return (*([first] if self.shape.arbiter else []), *workers, *below, *self.shape.beside())

    def of_workers(self, by_process: Sequence[float]) -> Sequence[float]:
        """Those of the workers that serve, of one figure for each of `pids`."""
        return by_process[int(self.shape.arbiter) :][: self.workers]


@dataclass(frozen=True, slots=True)
class StockFigures(Watched):
    """A stock worker counts nothing: `busiest_share` is of the serving processes' processor time."""

    warm_up_requests_per_second: float
    busiest_share: float


@contextmanager
def stock(
    technique: str,
    *,
    workers: int,
    threads: int | None = None,
    worker_class: WorkerClass = "uvicorn_worker",
    preload: bool = False,
    model_uri: str,
    folder: Path,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Stock]:
    """
    A module of benchmarks/baselines that is ready; its output goes to a file in `folder`.

    One worker is uvicorn alone, unless it is preloaded or Gunicorn's own. `threads` are those of SIZED, ValueError for
    others; a queue has a consumer for each worker; for ONNX the artifact is converted. `settings` are further ones of
    the technique, by their names in the environment. Raises NotMeasurable where a technique cannot be had.
    """
    if threads is not None and technique not in SIZED:
        raise ValueError(f"{technique} has no threads of its own to be {threads}; only {' and '.join(SIZED)} have")
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    size = threads or THREADS
    environment = {**inherited, **ONE_THREAD, "MODEL_URI": model_uri, "THREADS": str(size), **(settings or {})}
    if technique == "onnx":
        environment["MODEL_URI"] = str(onnx_beside(Path(model_uri)))
    arbiter = workers > 1 or worker_class == "asgi" or preload
    # The processes of a pool are watched by one more, multiprocessing's resource tracker.
    shape = Shape(workers, arbiter, below=size + 1 if technique == "process_pool" else 0)
    with ExitStack() as stack:
        if technique == "queue":
            held = stack.enter_context(queue(consumers=workers, environment=environment, folder=folder))
            environment["REDIS_URL"], shape = held.url, Shape(workers, arbiter, beside=held.pids)
        port, log = free_port(), folder / "baseline.log"
        arguments = gunicorn(workers, WORKER_CLASSES[worker_class], preload, folder) if arbiter else UVICORN
        address = ["-b", f"{HOST}:{port}"] if arbiter else ["--host", HOST, "--port", str(port)]
        app = f"benchmarks.baselines.{technique}:app"
        process = started([sys.executable, "-m", *arguments, *address, app], log, environment)
        yield stack.enter_context(until_stopped(Stock(process, shape, port=port, log=log)))


# As of Gunicorn's worker: each request is not logged.
UVICORN = ["uvicorn", "--no-access-log"]


def gunicorn(workers: int, worker_class: str, preload: bool, folder: Path) -> list[str]:
    configuration = folder / "stock.conf.py"
    configuration.write_text(CONFIGURATION)
    arguments = ["gunicorn", "-c", str(configuration), "-w", str(workers), "-k", worker_class]
    return [*arguments, "--preload"] if preload else arguments


def measure_stock(target: Stock, plan: Plan, connections: int) -> StockFigures:
    """As `repetition.measure`, of a server that does not say who answered."""
    check_answers(target.port, plan.known)
    warmed = warm_up(target, plan, connections)
    window = watched(target, plan, connections)
    check_answers(target.port, plan.known)
    serving = target.of_workers(window.cpu_seconds_by_process)
    fields = {name: getattr(window, name) for name in Watched.__dataclass_fields__}
    return StockFigures(
        **fields,
        warm_up_requests_per_second=warmed.requests_per_second,
        busiest_share=max(serving) / sum(serving),
    )
