"""How the processes run. Gunicorn executes this file at its start, and again at each HUP."""

import gc
import os
import sys
from pathlib import Path

# Nothing is collected in the arbiter: what it makes is frozen and shared with the workers.
gc.disable()
sys.path[:0] = [] if str(Path(__file__).parent) in sys.path else [str(Path(__file__).parent)]
# Before numpy is imported by anything: one process per core is all the parallelism there is.
for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR"):
    os.environ[f"{name}_NUM_THREADS"] = "1"
os.environ["VECLIB_MAXIMUM_THREADS"] = "1"

from app.processes.state_directory import state_directory  # noqa: E402

state = state_directory()
(state / "metrics").mkdir(exist_ok=True)
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(state / "metrics")

from threadpoolctl import threadpool_info  # noqa: E402

from app import metrics  # noqa: E402
from app.log_config import logging_config  # noqa: E402
from app.main import held_models, settings_in_force  # noqa: E402
from app.processes import lifecycle  # noqa: E402
from app.processes.cores import usable_cores  # noqa: E402
from app.settings import GRACE_SECONDS  # noqa: E402

settings = settings_in_force()

wsgi_app = "app.main:application()"
preload_app = True
worker_class = "app.processes.worker.ServingWorker"
workers = settings.web_concurrency or usable_cores()
bind = [f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"]
graceful_timeout = settings.request_timeout_seconds + GRACE_SECONDS
timeout = settings.request_timeout_seconds + 2 * GRACE_SECONDS
# Longer than a load balancer or a Prometheus pauses between two requests: else they would find connections closed.
keepalive = 75
backlog = 2048
worker_tmp_dir = str(state)
# By default a thread of the arbiter would serve it, and threads do not survive a fork.
control_socket_disable = True
accesslog = None
logconfig_dict = logging_config(settings.log_level, settings.log_format)


def on_starting(server):
    lifecycle.refuse_port_in_use(server.cfg.address)


def when_ready(server):
    lifecycle.assert_one_thread()
    lifecycle.freeze_heap()
    lifecycle.announce(settings, held_models(), server.num_workers)


def pre_fork(server, worker):
    worker.slot = lifecycle.slots.take()


def post_fork(server, worker):
    lifecycle.obey_signals(worker.ppid)
    gc.enable()
    metrics.become(worker.slot)
    lifecycle.seed_random_numbers()
    lifecycle.assert_one_thread_each(threadpool_info())


def child_exit(server, worker):
    lifecycle.slots.free(worker.slot)
    metrics.forget_live_gauges(worker.slot)
