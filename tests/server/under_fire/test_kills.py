"""1,000 jobs while who runs them is killed at random: none is lost, and each has one result."""

import contextlib
import json
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.outside.kafka import kafka_cluster
from tests.outside.servers import Outside, redis_server
from tests.server.conftest import SaveModel, StartServer
from tests.server.estimators import Recorder
from tests.server.running_server import Server
from tests.server.under_fire.fleet import KILL_SECONDS, fleet
from tests.waiting import wait_until

JOBS = 1_000
PREDICT_SECONDS = 0.02
# Of all that is ever done to a job; a kill is nobody's fault here, so that many are forgiven.
TERMS = {"FORKCAST_JOBS_LEASE_SECONDS": "2", "FORKCAST_JOBS_MAX_ATTEMPTS": "50"}
PATIENCE_SECONDS = 400.0
STRIKES = 2
# Jobs that are queued and of which nothing is known yet.
AHEAD = 100


@dataclass(slots=True)
class Client:
    """Asks for each job until it is accepted, with a key that makes it one job; then for what became of it."""

    server: Server
    addresses: dict[int, str] = field(default_factory=dict)
    results: dict[int, bytes] = field(default_factory=dict)
    refused: int = 0
    in_a_hurry: bool = False

    def enqueue_all(self) -> None:
        with contextlib.closing(self.server.connect()) as connection:
            for number in range(1, JOBS + 1):
                # Not all at once, so that some are left for when the store is away.
                wait_until(lambda: self._may_ask(number), seconds=PATIENCE_SECONDS, told=str)  # noqa: B023
                while number not in self.addresses:
                    body = json.dumps({"instances": [[number]]})
                    headers = {"content-type": "application/json", "idempotency-key": f"job-{number}"}
                    connection.request("POST", "/predict_background", body, headers)
                    answer = connection.getresponse()
                    answer.read()
                    assert answer.status in (202, 503), answer.status
                    self.refused += answer.status == 503
                    if answer.status == 202:
                        self.addresses[number] = answer.headers["location"]

    def _may_ask(self, number: int) -> bool:
        return self.in_a_hurry or len(self.results) > number - AHEAD

    def look(self) -> None:
        """What has been seen of a job once is kept, to be compared with what is seen in the end."""
        for number, address in sorted(self.addresses.items()):
            if number not in self.results:
                answer = self.server.get(address)
                if answer.status == 200 and answer.json["status"] in ("succeeded", "failed", "cancelled"):
                    self.results[number] = answer.body

    def all_ended(self) -> bool:
        self.look()
        return len(self.results) == JOBS


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "predicts"


@pytest.fixture
def model(save_model: SaveModel, record: Path) -> Path:
    record.touch()
    return save_model("recorder", Recorder(str(record), PREDICT_SECONDS).fit())


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Outside]:
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis") as server:
        yield server


def test_killed_consumers_of_sqlite_lose_nothing(
    start_server: StartServer, model: Path, project: Path, tmp_path: Path, record: Path
) -> None:
    path = tmp_path / "jobs.db"

    told = under_fire(
        start_server, model, project, tmp_path, record, url=f"sqlite:///{path}", strike=lambda client: None
    )

    assert told["refused"] == 0
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_killed_consumers_and_a_killed_redis_lose_nothing(
    start_server: StartServer, model: Path, project: Path, tmp_path: Path, record: Path, redis: Outside
) -> None:
    strikes: list[int] = []

    def strike(client: Client) -> None:
        """It is away until a job was refused for it."""
        before, client.in_a_hurry = client.refused, True
        redis.process.end()
        wait_until(lambda: client.refused > before, seconds=30, told=str)
        redis.process.start()
        client.in_a_hurry = False
        strikes.append(client.refused)

    told = under_fire(start_server, model, project, tmp_path, record, url=redis.url, strike=strike)

    assert len(strikes) == STRIKES
    assert told["refused"] >= strikes[-1] > strikes[0] > 0


def test_killed_consumers_and_an_absent_broker_of_kafka_lose_nothing(
    start_server: StartServer, model: Path, project: Path, tmp_path: Path, record: Path
) -> None:
    """Kills are further apart: the group has to see that a member is gone, and to share out what it had."""
    with kafka_cluster(brokers=3) as kafka:

        def strike(client: Client) -> None:
            """It is away until a job was refused for it; a mock cluster lets no other broker stand in."""
            before, client.in_a_hurry = client.refused, True
            kafka.tell("down 2")
            wait_until(lambda: client.refused > before, seconds=60, told=str)
            kafka.tell("up 2")
            client.in_a_hurry = False

        told = under_fire(
            start_server, model, project, tmp_path, record, url=f"{kafka.url}?fetch.wait.max.ms=5", strike=strike,
            kill_seconds=6.0,
        )  # fmt: skip

    assert told["refused"] >= STRIKES


def under_fire(
    start_server: StartServer, model: Path, project: Path, folder: Path, record: Path, *, url: str,
    strike: Callable[[Client], None], kill_seconds: float = KILL_SECONDS,
) -> dict[str, Any]:  # fmt: skip
    """What is printed; fails where a job is lost, has no result, or two."""
    settings = {"FORKCAST_JOBS_URL": url, **TERMS}
    server = start_server(model, workers=1, FORKCAST_CONSUME="off", **settings)
    client, started = Client(server), time.monotonic()
    own = {"MODEL_URI": str(model), **settings}
    with fleet(project, folder, own, kill_seconds=kill_seconds) as consumers, ThreadPoolExecutor(1) as pool:
        queueing = pool.submit(client.enqueue_all)
        for number in range(1, STRIKES + 1):
            share = number * JOBS // (STRIKES + 1)
            consumers.fire_until(lambda: ended_of(client, queueing) >= share, seconds=PATIENCE_SECONDS)  # noqa: B023
            strike(client)
        consumers.fire_until(client.all_ended, seconds=PATIENCE_SECONDS)
        queueing.result()
    told = {
        "store": url.partition(":")[0], "jobs": JOBS, "seconds": round(time.monotonic() - started, 1),
        "kills": consumers.kills, "refused": client.refused, **executions(record),
    }  # fmt: skip
    sys.stdout.write(f"\n{json.dumps(told)}\n")
    check(client, record)
    assert consumers.kills > 10
    return told


def ended_of(client: Client, queueing: "Future[None]") -> int:
    if queueing.done():
        queueing.result()
    client.look()
    return len(client.results)


def predicts(record: Path) -> list[tuple[int, int]]:
    """Which job's number was predicted, and by whom; 0 is that of the warm-up."""
    pairs = [line.split() for line in record.read_text().splitlines()]
    return [(int(number), int(pid)) for number, pid in pairs if number != "0"]


def executions(record: Path) -> dict[str, int]:
    times = Counter(number for number, _ in predicts(record))
    return {"executions": times.total(), "done more than once": sum(count > 1 for count in times.values())}


def check(client: Client, record: Path) -> None:
    known = set(predicts(record))
    assert len(set(client.addresses.values())) == JOBS
    for number, address in client.addresses.items():
        # Whoever came late has changed nothing.
        assert client.server.get(address).body == client.results[number]
        job = json.loads(client.results[number])
        assert job["status"] == "succeeded", job
        [prediction] = job["result"]["predictions"]
        answered, pid = map(int, prediction["prediction"])
        assert (answered, pid) in known
        assert answered == number
