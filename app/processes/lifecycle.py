"""What the arbiter's hooks do; `gunicorn.conf.py` calls each in a line."""

import contextlib
import ctypes
import errno
import gc
import os
import random
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import structlog
from gunicorn.arbiter import Arbiter

from app.processes import parent_death
from app.processes.desk import Limits
from app.processes.library_threads import THREAD_VARIABLES
from app.processes.restarts import Restarts
from app.processes.scoreboard import Role, Scoreboard, State
from app.settings import GRACE_SECONDS, Settings

log = structlog.stdlib.get_logger("forkcast")

# What sets them, in the order in which Gunicorn is told of them; the last one is off by default.
PORTS = ("PORT", "OPS_PORT", "FORKCAST_GRPC_PORT")
scoreboard = Scoreboard()
restarts = Restarts(scoreboard)
# How much later than those that serve the worker that runs jobs gets its turn on a processor that both want.
CONSUMER_NICENESS = 5
HEADER_SECONDS = 10
# With the model that it shares a worker boots in a fraction of this.
SHARED_BOOT_SECONDS = 10
# Of a worker: its log, its listeners, its loop, its metric files, and a margin.
OWN_DESCRIPTORS = 64


class StartRefused(SystemExit):
    """One line in the log; the exit status is 1, or in a worker the one at which the arbiter gives up."""

    def __init__(self, reason: str, status: int = 1) -> None:
        log.critical("start refused", reason=reason)
        super().__init__(status)


def refuse_port_in_use(addresses: list[Any]) -> None:
    """Say at once what Gunicorn would say after five seconds of trying; the addresses are in the order of `PORTS`."""
    if "LISTEN_FDS" in os.environ or "GUNICORN_FD" in os.environ:
        return
    named = zip(PORTS, addresses, strict=False)
    for name, (host, port) in ((name, address) for name, address in named if isinstance(address, tuple)):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise StartRefused(f"port {port} of {host} is in use; set {name} to another one") from None
                raise StartRefused(f"cannot listen on {host} port {port}: {error.strerror}") from None


def assert_listeners(listeners: list[Any], ports: Sequence[int]) -> None:
    """Sockets that are held outside come as they are, in any order: each role knows its own by the port."""
    names = [listener.getsockname() for listener in listeners]
    if not all(isinstance(name, tuple) for name in names):
        raise StartRefused("listens on TCP only; FORKCAST_WORKER_SOCKETS gives each worker a Unix socket of its own")
    present = {each[1] for each in names}
    wrong = [f"{name} {number}" for name, number in zip(PORTS, ports, strict=False) if number not in present]
    if wrong:
        raise StartRefused(f"none of the sockets held outside is that of {' or '.join(wrong)}")


def assert_one_thread() -> None:
    """
    What was forked with a second thread in the arbiter can hang for ever in the worker.

    OpenMP is the usual one: https://github.com/dmlc/xgboost/issues/7044.
    """
    wrong = [name for name in THREAD_VARIABLES if os.environ.get(name) != "1"]
    if wrong:
        raise StartRefused(f"{', '.join(wrong)} must be 1 in the arbiter")
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1 or threading.active_count() != 1:
        raise StartRefused(f"the arbiter has {threads} threads before it forks; loading the model must start none")


def assert_one_thread_each(pools: list[dict[str, Any]]) -> None:
    """
    The numeric libraries obey the variables; `pools` is what threadpoolctl found in a worker.

    Not asked in the arbiter, for asking there and then forking can abort the worker's exit:
    https://github.com/joblib/threadpoolctl/issues/225.
    """
    wrong = [f"{pool['internal_api']} {pool['num_threads']}" for pool in pools if pool["num_threads"] != 1]
    if wrong:
        raise StartRefused(f"threads of numeric libraries in a worker: {', '.join(wrong)}", Arbiter.WORKER_BOOT_ERROR)


def freeze_heap() -> None:
    """Nothing alive here is ever collected in a worker, so that the collector never writes to shared pages."""
    gc.collect()
    gc.freeze()
    # What loading the model took and freed is given back to the system; for a forest of 303 trees and 251 MB on disk
    # that is 239 MiB of 609. Only glibc keeps it, and only glibc has the call.
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def end_with(arbiter: int) -> None:
    """Else the workers of an arbiter that was killed would go on serving, and keep its port."""
    if not parent_death.end_with(arbiter, signal.SIGTERM):
        sys.exit(0)


def resize(arbiter: Any, processes: int) -> None:
    """
    The arbiter is to have so many workers, those of all roles: at the start, at a HUP, a TTIN or a TTOU.

    A TTOU ends the oldest worker; so that it takes a serving one, the others of this generation become the youngest.
    """
    header = scoreboard.header
    others = header.wanted_in(Role.OPS) + header.wanted_in(Role.CONSUME)
    if processes <= others:
        arbiter.num_workers = others + 1
        return
    header.wanted = processes - others
    restarts.resized()
    ages = sorted(each.age for each in arbiter.WORKERS.values())
    for worker, age in zip(sorted(arbiter.WORKERS.values(), key=_order_of_leaving), ages, strict=True):
        worker.age = age


def _order_of_leaving(worker: Any) -> tuple[bool, int]:
    stays = worker.place.role != Role.SERVE and worker.place.generation == scoreboard.header.generation
    return stays, worker.age


def boot_seconds(settings: Settings, *, shared: bool) -> int:
    """
    How long the workers that are forked now may take to boot.

    Those that they replace go on meanwhile, and Gunicorn waits for them for its graceful timeout before it hears of a
    stop.
    """
    if not shared:
        return settings.reload_timeout_seconds
    # A stop that comes meanwhile gives all of it no longer than the graceful time.
    return min(SHARED_BOOT_SECONDS, (settings.request_timeout_seconds + GRACE_SECONDS) // 2)


def enlist(worker: Any, version: str, limits: Limits) -> None:
    """Give a worker that is about to be forked its role in the present generation, and a slot that is free."""
    role = next((role for role in Role if restarts.missing(role)), Role.SERVE)
    restarts.forked(role)
    worker.scoreboard, worker.limits = scoreboard, limits
    worker.place = scoreboard.take(role, version)


def enter(worker: Any, settings: Settings, applications: dict[str, Callable[[], Any]]) -> None:
    """In the worker: it knows its pid, its ports, and how to make the application of its role."""
    worker.place.pid = os.getpid()
    role = Role(worker.place.role)
    ports = {Role.SERVE: [settings.port, *settings.grpc_ports], Role.OPS: [settings.ops_port], Role.CONSUME: []}
    worker.ports, worker.make_application = ports[role], applications[role.name.lower()]
    if role is Role.CONSUME:
        os.nice(CONSUMER_NICENESS)
    # It beats by itself only once it is loaded.
    instant = time.monotonic() + scoreboard.header.boot_seconds
    os.utime(worker.tmp.fileno(), (instant, instant))


def load_in_worker(load: Callable[[], None], application: Callable[[], Any]) -> Any:
    """The application, once this worker has the model that it does not share; no more of it is ever collected."""
    load()
    freeze_heap()
    return application()


def dismiss(worker: Any, arbiter: Any) -> None:
    """The worker has ended, however it did."""
    role, state, generation = Role(worker.place.role), worker.place.state, worker.place.generation
    scoreboard.free(worker.place.slot)
    restarts.ended(role, generation)
    # While those live that it was to replace, Gunicorn has workers enough. It listens for as long as it does not stop.
    former = any(each.generation < scoreboard.header.generation for each in scoreboard.workers())
    if state == State.BOOTING and former and arbiter.LISTENERS and restarts.missing(role):
        arbiter.spawn_worker()


def limits(settings: Settings) -> Limits:
    """What a worker holds its clients to; of the descriptors that it may open, some are for itself."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Limits(
        connections=max(1, min(settings.max_connections, descriptors - OWN_DESCRIPTORS)),
        in_flight=settings.max_in_flight,
        request_seconds=settings.request_timeout_seconds,
        header_seconds=min(HEADER_SECONDS, settings.request_timeout_seconds),
        message_bytes=settings.max_body_bytes,
        # A proof, the boot of new workers, and the leave of the former ones; one that was asked before may go first.
        control_seconds=2 * (2 * settings.reload_timeout_seconds + settings.request_timeout_seconds + GRACE_SECONDS),
        balanced=settings.accept == "balanced",
        worker_sockets=settings.worker_sockets,
        worker_header=settings.worker_header == "on",
        grpc_port=settings.grpc_port,
    )


def seed_random_numbers() -> None:
    """Gunicorn seeds the standard library's generator after the fork; numpy's would be the same in all workers."""
    np.random.seed(random.getrandbits(32))
