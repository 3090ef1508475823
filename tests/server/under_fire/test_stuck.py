"""A predict that does not end: its process does, and the job goes on to others, and in the end to none."""

from pathlib import Path

import pytest

from tests.server.conftest import StartServer
from tests.server.running_consumer import consuming
from tests.server.running_server import Server
from tests.server.test_jobs import consumer, ended, queued, workers

# One predict may then take 11 s.
SETTINGS = {"FORKCAST_REQUEST_TIMEOUT_SECONDS": "1", "FORKCAST_JOBS_LEASE_SECONDS": "1"}
NEVER = {"instances": [[3600.0]]}
PATIENCE_SECONDS = 40.0


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'jobs.db'}"


def test_the_servers_own_consumer_is_replaced(start_server: StartServer, sleeper_model: Path, url: str) -> None:
    server = start_server(sleeper_model, workers=1, FORKCAST_JOBS_URL=url, FORKCAST_JOBS_MAX_ATTEMPTS="1", **SETTINGS)
    stuck = consumer(server)

    poison, good = queued(server, NEVER), queued(server, {"instances": [[0.0]]})
    jobs = [ended(server, address) for address in (poison, good)]

    assert [(job["status"], job["attempts"]) for job in jobs] == [("failed", 1), ("succeeded", 1)]
    assert consumer(server) != stuck
    assert "in predict" in server.log


def test_one_that_runs_apart_ends_and_says_where_it_was(
    start_server: StartServer, sleeper_model: Path, project: Path, url: str, tmp_path: Path
) -> None:
    settings = {"FORKCAST_JOBS_URL": url, "FORKCAST_JOBS_MAX_ATTEMPTS": "2", **SETTINGS}
    server, log = start_server(sleeper_model, workers=1, FORKCAST_CONSUME="off", **settings), tmp_path / "consumer.log"
    address = queued(server, NEVER)

    statuses = [ended_by_itself(project, log, sleeper_model, settings) for _ in range(2)]
    with consuming(project, log, {"MODEL_URI": str(sleeper_model), **settings}):
        job = ended(server, address)

    assert statuses == [1, 1]
    assert "in predict" in log.read_text()
    assert (job["status"], job["attempts"]) == ("failed", 2)


def ended_by_itself(project: Path, log: Path, model: Path, settings: dict[str, str]) -> int:
    with consuming(project, log, {"MODEL_URI": str(model), **settings}) as process:
        return process.wait(PATIENCE_SECONDS)


def test_a_server_with_a_stuck_consumer_serves(start_server: StartServer, sleeper_model: Path, url: str) -> None:
    server: Server = start_server(sleeper_model, workers=1, FORKCAST_JOBS_URL=url, **SETTINGS)
    queued(server, NEVER)
    server.wait_for(lambda: ("consume", "stuck") in {(row["role"], row["state"]) for row in workers(server)})

    assert server.post("/predict", {"features": [0.0]}).status == 200
    assert server.ops("/readyz").status == 200
