"""Background jobs of a real server, and of consumers that run beside it, whatever happens to who runs them."""

import asyncio
import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from app.jobs import open_queue
from app.jobs.base import Job, Terms
from tests.server.conftest import SaveModel, StartServer, StartServers, serving
from tests.server.estimators import Poisoned
from tests.server.running_consumer import consuming
from tests.server.running_server import PATIENCE_SECONDS, Server, metric_sum, reserved_port
from tests.server.test_killed_and_reloaded_workers import hang_up

LEASE = {"FORKCAST_JOBS_LEASE_SECONDS": "0.9", "FORKCAST_JOBS_BACKOFF_SECONDS": "0.1"}
TERMS = Terms(most_queued=10, most_attempts=3, lease_seconds=0.9, backoff_seconds=0.1, result_seconds=3600)
# The model sleeps as long as its largest number says, once for each part of 2,000.
SLOW_ROW, SLOW_ROWS = 0.3, 20_000
MANY = 100_000
SUCCEEDED = 'forkcast_job_attempts_total{outcome="succeeded"}'
ONE_SUCCEEDED = f"{SUCCEEDED} 1.0"
# Longer than anything holds up who has a job, so that no other takes it.
LONG_LEASE = {**LEASE, "FORKCAST_JOBS_LEASE_SECONDS": "10"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(scope="module")
def servers(start_servers: StartServers, sleeper_model: Path, save_model: SaveModel, folder: Path) -> dict[str, Server]:
    poisoned = save_model("poisoned", Poisoned().fit())
    urls = {name: f"sqlite:///{folder / name}.db" for name in ("sleeper", "patient", "poisoned")}
    return start_servers(
        sleeper=serving(sleeper_model, workers=1, FORKCAST_JOBS_URL=urls["sleeper"], **LEASE),
        patient=serving(sleeper_model, workers=1, FORKCAST_JOBS_URL=urls["patient"], **LONG_LEASE),
        poisoned=serving(poisoned, workers=1, FORKCAST_JOBS_URL=urls["poisoned"], **LEASE),
    )


@pytest.fixture
def server(servers: dict[str, Server]) -> Server:
    """Each test leaves it with all its workers."""
    return servers["sleeper"]


def test_a_job_gets_the_answer_of_its_synchronous_twin_from_a_worker_of_its_own(server: Server) -> None:
    body = {"instances": [[0.0], [0.001]]}

    job = ended(server, queued(server, body))

    twin = server.post("/predict_batch", body).json
    assert job["result"] == {**twin, "request_id": job["request_id"]}
    assert (job["status"], job["attempts"], job["progress"]) == ("succeeded", 1, {"done": 2, "total": 2})
    assert [worker["role"] for worker in workers(server)] == ["serve", "ops", "consume"]
    server.wait_for(lambda: metric_sum(server.ops("/metrics"), "forkcast_jobs") > 0, timeout=10)
    # Counted once the store knows that it has ended, and its client may know that first.
    server.wait_for(lambda: SUCCEEDED in server.get("/metrics").body.decode())
    # Behind those that serve, in the kernel's order.
    assert os.getpriority(os.PRIO_PROCESS, consumer(server)) == 5


def test_many_rows_are_one_job_whose_progress_is_seen(server: Server) -> None:
    seen = [(0, MANY)]
    address = queued(server, {"instances": [[0.05]] * MANY})

    def watched() -> bool:
        job = server.get(address).json
        seen.append((job["progress"]["done"], job["progress"]["total"]))
        return job["status"] == "succeeded"

    server.wait_for(watched)

    done = [done for done, total in seen if total]
    assert len(set(done)) > 4
    assert done == sorted(done)
    assert done[-1] == MANY
    assert len(server.get(address).json["result"]["predictions"]) == MANY


def test_a_hup_in_the_middle_of_a_job_lets_it_be_done_once(servers: dict[str, Server]) -> None:
    server = servers["patient"]
    address = running_job(server)
    former = consumer(server)

    hang_up(server)
    job = ended(server, address)

    assert (job["status"], job["attempts"]) == ("succeeded", 1)
    assert 'outcome="released"' not in str(server.ops("/metrics").body)
    server.wait_for(lambda: [worker["role"] for worker in workers(server)].count("consume") == 1)
    assert consumer(server) != former


def test_what_a_killed_worker_ran_is_done_by_the_next(server: Server) -> None:
    former, restarts = consumer(server), server_restarts(server)
    address = running_job(server)

    os.kill(former, signal.SIGKILL)
    job = ended(server, address)

    assert (job["status"], job["attempts"], len(job["result"]["predictions"])) == ("succeeded", 2, SLOW_ROWS)
    assert consumer(server) != former
    assert server_restarts(server) == restarts + 1
    assert server.ops("/readyz").status == 200


def test_a_poison_job_fails_in_the_end_and_holds_nobody_up(servers: dict[str, Server]) -> None:
    server = servers["poisoned"]
    before = queued(server, {"instances": [[1.0]]})
    poison = queued(server, {"instances": [[13.0]]})
    after = queued(server, {"instances": [[2.0]]})

    jobs = [ended(server, address) for address in (before, poison, after)]

    assert [(job["status"], job["attempts"]) for job in jobs] == [("succeeded", 1), ("failed", 3), ("succeeded", 1)]
    assert "3 attempts" in jobs[1]["error"]
    assert server.post("/predict", {"features": [3.0]}).json["prediction"] == 3.0
    assert server.ops("/readyz").status == 200


def test_a_worker_that_was_ready_ends_alone_whatever_its_exit_status(servers: dict[str, Server]) -> None:
    server = servers["poisoned"]
    former, restarts = consumer(server), server_restarts(server)

    job = ended(server, queued(server, {"instances": [[103.0]]}))

    assert (job["status"], job["attempts"]) == ("failed", 3)
    assert server.post("/predict", {"features": [3.0]}).json["prediction"] == 3.0
    assert consumer(server) != former
    assert server_restarts(server) == restarts + 3


def test_a_term_in_the_middle_of_a_job_gives_it_back_for_the_next_start(
    start_server: StartServer, sleeper_model: Path, folder: Path
) -> None:
    url = f"sqlite:///{folder / 'stopped.db'}"
    settings = {"FORKCAST_JOBS_URL": url, "FORKCAST_REQUEST_TIMEOUT_SECONDS": "1", **LEASE}
    server = start_server(sleeper_model, workers=1, **settings)
    address = running_job(server)

    server.process.terminate()
    status = server.wait_for_exit()
    left = found(url, address)
    again = start_server(sleeper_model, workers=1, **settings)
    job = ended(again, address)

    assert (status, left.status, left.attempts) == (0, "queued", 0)
    assert (job["status"], job["attempts"]) == ("succeeded", 1)


@pytest.mark.parametrize("store", ["redis_url", "kafka_url"])
def test_jobs_in_a_store_for_many_hosts_are_done_by_consumers_that_run_apart(
    start_server: StartServer, sleeper_model: Path, project: Path, request: pytest.FixtureRequest, store: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    settings = {"FORKCAST_JOBS_URL": request.getfixturevalue(store), **LEASE}
    log = tmp_path / "consumer.log"
    server = start_server(sleeper_model, workers=1, **settings)
    assert [worker["role"] for worker in workers(server)] == ["serve", "ops"]
    address = queued(server, {"instances": [[0.0]]})
    assert server.get(address).json["status"] == "queued"

    asked = {"MODEL_URI": str(sleeper_model), **settings}
    with (
        reserved_port() as port,
        consuming(project, log, {**asked, "FORKCAST_CONSUMER_METRICS_PORT": str(port)}) as consumer,
    ):
        job = ended(server, address)
        lively = told(port, "/livez")
        # Counted once the store knows that it has ended, and its client may know that first.
        server.wait_for(lambda: ONE_SUCCEEDED in told(port, "/metrics"))
        running_job(server)
        consumer.terminate()
        status = consumer.wait(PATIENCE_SECONDS)

    assert (job["status"], status) == ("succeeded", 0), log.read_text()
    assert lively == '{"status":"ok"}'


def told(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_SECONDS) as answer:
        return str(answer.read(), "utf-8")


def queued(server: Server, body: Any) -> str:
    """Where the job is found."""
    answer = server.post("/predict_background", body)
    assert answer.status == 202, answer.body
    return str(answer.headers["location"])


def ended(server: Server, address: str) -> Any:
    def has() -> bool:
        return server.get(address).json["status"] in ("succeeded", "failed", "cancelled")

    server.wait_for(has)
    return server.get(address).json


def running_job(server: Server) -> str:
    """A job of some seconds that has begun."""
    address = queued(server, {"instances": [[SLOW_ROW]] * SLOW_ROWS})
    server.wait_for(lambda: server.get(address).json["progress"]["done"] > 0)
    return address


def workers(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.ops("/status").json["workers"]
    return found


def consumer(server: Server) -> int:
    """Its pid, once there is one."""
    pids: list[int] = []

    def there() -> bool:
        pids[:] = [row["pid"] for row in workers(server) if row["role"] == "consume" and row["state"] != "draining"]
        return len(pids) == 1 and bool(pids[0])

    server.wait_for(there)
    return pids[0]


def server_restarts(server: Server) -> float:
    return metric_sum(server.ops("/metrics"), "forkcast_worker_restarts_total")


def found(url: str, address: str) -> Job:
    async def main() -> Job | None:
        queue = open_queue(url, TERMS)
        try:
            return await queue.find(address.rpartition("/")[2], "")
        finally:
            await queue.close()

    job = asyncio.run(main())
    assert job is not None
    return job
