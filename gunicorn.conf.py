"""How the processes run. Gunicorn executes this file at its start, and again at each HUP."""

import gc
import os
import sys
from functools import partial
from pathlib import Path

# Nothing is collected in the arbiter: what it makes is frozen and shared with the workers.
gc.disable()
sys.path[:0] = [] if str(Path(__file__).parent) in sys.path else [str(Path(__file__).parent)]

from app.processes.library_threads import hold_to_one  # noqa: E402

# Before numpy is imported by anything.
hold_to_one()

from app.processes.state_directory import state_directory  # noqa: E402

state = state_directory()
(state / "metrics").mkdir(exist_ok=True)
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(state / "metrics")

from threadpoolctl import threadpool_info  # noqa: E402

from app import metrics, ops  # noqa: E402
from app.consumer.application import embedded  # noqa: E402
from app.log_config import logging_config  # noqa: E402
from app.main import build_own, held_models, settings_in_force  # noqa: E402
from app.processes import lifecycle, sharing  # noqa: E402
from app.processes.announcement import address, announce  # noqa: E402
from app.processes.cores import usable_cores  # noqa: E402
from app.processes.fork_guard import ForkGuard  # noqa: E402
from app.processes.reaping import reap  # noqa: E402
from app.processes.reload import reload_model  # noqa: E402
from app.processes.unloaded import read_unloaded, unloaded_file  # noqa: E402
from app.renewal import adopt, first_application, prove, why_first_not_shared  # noqa: E402
from app.settings import GRACE_SECONDS  # noqa: E402

settings = settings_in_force()

wsgi_app = "app.main:application()"
preload_app = settings.preload == "auto" and not sharing.started_over
worker_class = "app.processes.worker.ForkcastWorker"
# The ops worker is one more, and so is the one that runs background jobs.
workers = (settings.web_concurrency or usable_cores()) + 1 + settings.runs_jobs
lifecycle.scoreboard.header.consumers = settings.runs_jobs
bind = [address(settings.host, settings.port), address(settings.ops_host, settings.ops_port)]
bind += [address(settings.host, port) for port in settings.grpc_ports]
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
    server.reap_workers = partial(reap, server)
    lifecycle.refuse_port_in_use(server.cfg.address)
    if preload_app:
        sharing.start_over_unless(why_first_not_shared(settings, held_models()), server)
    else:
        server.app.callable = first_application(settings, held_models())


def nworkers_changed(server, new_value, old_value):
    lifecycle.resize(server, new_value)


def when_ready(server):
    lifecycle.assert_listeners(server.LISTENERS, settings.ports)
    lifecycle.assert_one_thread()
    lifecycle.freeze_heap()
    announce(settings, held_models(), lifecycle.scoreboard.header.wanted)
    ForkGuard()
    lifecycle.scoreboard.header.arbiter = server.pid


def on_reload(server):
    revision = read_unloaded(unloaded_file()).revision
    reload_model(
        server,
        prove=partial(prove, settings, held_models(), lambda: read_unloaded(unloaded_file()).names),
        adopt=partial(adopt, settings, held_models()),
        seconds=settings.reload_timeout_seconds,
        max_memory_bytes=settings.reload_max_memory_bytes,
    )
    lifecycle.scoreboard.header.control_seen = revision
    lifecycle.scoreboard.header.generation += 1


def pre_fork(server, worker):
    lifecycle.scoreboard.header.boot_seconds = lifecycle.boot_seconds(settings, shared=held_models().shared)
    lifecycle.enlist(worker, held_models().version, lifecycle.limits(settings))


def post_fork(server, worker):
    lifecycle.end_with(worker.ppid)
    gc.enable()
    metrics.become(worker.place.slot)
    lifecycle.seed_random_numbers()
    lifecycle.assert_one_thread_each(threadpool_info())
    serve, consume = server.app.wsgi, partial(embedded, settings, held_models())
    if not held_models().shared:
        load = partial(build_own, settings, held_models())
        serve, consume = (partial(lifecycle.load_in_worker, load, each) for each in (serve, consume))
    watch = partial(ops.create_app, settings, held_models(), lifecycle.scoreboard)
    lifecycle.enter(worker, settings, {"serve": serve, "ops": watch, "consume": consume})


def child_exit(server, worker):
    lifecycle.dismiss(worker, server)
    metrics.forget_live_gauges(worker.place.slot)
