"""The prediction log of a real server: complete through a reload and the end, and through a kill but for a moment."""

import contextlib
import http.client
import json
import os
import signal
import socket
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.server.clients import asking
from tests.server.conftest import StartServer
from tests.server.running_server import Server, metric_sum

REVIEW = {"text": "a good film"}
# Of so many seconds: what a worker answers in an interval is far from a full batch, which would be written at once.
LONG = {"features": [0.05]}
FLUSH_SECONDS = 0.3
# Of a write itself, on a machine that does other things too.
WRITE_SECONDS = 0.5
# Of requests at a time.
CLIENTS = 4


@dataclass(slots=True)
class Answered:
    """Requests with status 200, by their ids: when each was answered, and by the worker in which slot."""

    body: object
    of: dict[str, tuple[float, str]] = field(default_factory=dict)
    others: Counter[object] = field(default_factory=Counter)
    ending: threading.Event = field(default_factory=threading.Event)

    @property
    def slots(self) -> Counter[str]:
        """How many are of each."""
        return Counter(slot for _, slot in list(self.of.values()))

    def ask(self, server: Server) -> None:
        """On a connection of its own; one that finds nobody any more is nobody's loss."""
        name = uuid.uuid4().hex
        try:
            with contextlib.closing(server.connect()) as connection:
                headers = {"x-request-id": name, "content-type": "application/json"}
                connection.request("POST", "/predict", json.dumps(self.body), headers)
                answer = connection.getresponse()
                answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.others[type(error).__name__ if self.ending.is_set() else "lost"] += 1
            return
        if answer.status == 200:
            self.of[name] = time.monotonic(), answer.headers["x-worker"]
        else:
            self.others[answer.status] += 1


def lines(folder: Path) -> dict[str, list[str]]:
    """The ids of the requests in each file; fails for a line that is no JSON."""
    return {
        path.name: [json.loads(line)["request_id"] for line in path.read_text().splitlines()]
        for path in folder.iterdir()
    }


def start(start_server: StartServer, model: Path, folder: Path, flush_seconds: float) -> Server:
    return start_server(
        model, FORKCAST_PREDICTION_LOG_URL=f"file://{folder}/predictions.jsonl",
        FORKCAST_PREDICTION_LOG_FLUSH_SECONDS=str(flush_seconds),
    )  # fmt: skip


def test_every_answered_request_is_logged_once_through_a_reload_and_the_end(
    start_server: StartServer, text_model: Path, tmp_path: Path
) -> None:
    # By the interval alone nothing would be written.
    server = start(start_server, text_model, tmp_path / "logs", 60.0)
    answered = Answered(REVIEW)
    # The rehearsals of four workers are in no file.
    with asking(*[partial(answered.ask, server)] * CLIENTS):
        server.wait_for(lambda: len(answered.of) > 100 and len(answered.slots) == 2)
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(lambda: server.times_ready == 4 and len(server.pids) == 3)
        seen = len(answered.of)
        server.wait_for(lambda: len(answered.of) > seen + 100 and len(answered.slots) == 4)
        answered.ending.set()
        server.process.terminate()
        server.wait_for_exit()

    logged = lines(tmp_path / "logs")
    assert len(logged) == 4
    times = Counter(name for names in logged.values() for name in names)
    assert {times[name] for name in answered.of} == {1}
    assert max(times.values()) == 1
    # Such as were answered, and whose client did not get it.
    assert len(times) - len(answered.of) <= 4
    assert not answered.others.keys() & {"lost", 500, 503, 504}
    # The slot that the answer names is the one that has logged it.
    for name, (_, slot) in answered.of.items():
        assert name in logged[f"predictions.{slot}.jsonl"]


def test_a_killed_worker_loses_what_it_answered_in_the_last_interval_at_most(
    start_server: StartServer, sleeper_model: Path, tmp_path: Path
) -> None:
    server = start(start_server, sleeper_model, tmp_path / "logs", FLUSH_SECONDS)
    answered = Answered(LONG)

    def by(slot: str) -> list[str]:
        return [name for name, (_, theirs) in list(answered.of.items()) if theirs == slot]

    with asking(*[partial(answered.ask, server)] * CLIENTS), server.connections() as connections:
        victim = next(iter(connections))
        connections[victim].request("GET", "/healthz")
        slot = connections[victim].getresponse().headers["x-worker"]
        # Four at a time in 0.05 s: longer than what may be lost, by far.
        server.wait_for(lambda: len(by(slot)) > 120)
        answered.ending.set()
        ready = server.times_ready
        killed = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        server.wait_for(lambda: server.times_ready > ready)
        seen = len(by(slot))
        server.wait_for(lambda: len(by(slot)) > seen + 20)
        written = metric_sum(server.get("/metrics"), "forkcast_prediction_log_records_total")
        server.process.terminate()
        server.wait_for_exit()

    logged = {name for names in lines(tmp_path / "logs").values() for name in names}
    lost = {name: told for name, told in answered.of.items() if name not in logged}
    assert {theirs for _, theirs in lost.values()} <= {slot}
    assert all(killed - FLUSH_SECONDS - WRITE_SECONDS < instant for instant, _ in lost.values())
    # Of what it had answered before, each client may have read one answer later.
    assert sum(instant > killed for instant, _ in lost.values()) <= CLIENTS
    assert 0 < written <= len(logged)


def test_a_store_that_is_down_costs_records_and_nothing_else(
    start_server: StartServer, text_model: Path, tmp_path: Path
) -> None:
    with socket.socket() as nobody:
        # Bound and not listened on: nobody else is given the port.
        nobody.bind(("127.0.0.1", 0))
        server = start_server(
            text_model, FORKCAST_PREDICTION_LOG_URL=f"redis://:s3cret@127.0.0.1:{nobody.getsockname()[1]}/0",
            FORKCAST_REQUEST_TIMEOUT_SECONDS="5", FORKCAST_PREDICTION_LOG_QUEUE="100",
        )  # fmt: skip
        answered = Answered(REVIEW)
        with asking(*[partial(answered.ask, server)] * CLIENTS):
            server.wait_for(lambda: len(answered.of) > 1000 and min(answered.slots.values()) > 200)
        server.process.terminate()
        server.wait_for_exit()

    told = [event for event in server.events if event["event"].startswith("prediction log")]
    down = [event for event in told if event["event"] == "prediction log cannot be written"]
    ended = [event for event in told if event["event"] == "prediction log ended before all was written"]
    assert not answered.others
    # By each of two workers, not for each record; the end came in time, or the arbiter would have killed them.
    assert (len(down), len(ended), len(told)) == (2, 2, 4)
    assert [event["records"] for event in ended] == [100, 100]
    assert "s3cret" not in server.log
