"""A small HTTP server that answers well, or badly in a chosen way."""

import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, str]
# From the body, and from how many other requests are held right now.
Answers = Callable[[bytes, int], Answer]

RIGHT: Answer = (200, "positive")


class FakeServer(ThreadingHTTPServer):
    """What `repetition.Target` asks for; this process is its own arbiter and worker."""

    daemon_threads = True
    request_queue_size = 128
    workers = 1
    status_of_get = 200

    def __init__(self, answers: Answers) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        self.answers = answers
        self.statuses: Counter[int] = Counter()
        self.held = 0
        # The scrape itself is one.
        self.others_in_flight = 1
        self.lock = threading.Lock()

    def pids(self) -> tuple[int, ...]:
        return (os.getpid(),)

    def exposition(self) -> str:
        with self.lock:
            statuses, in_flight = self.statuses.copy(), self.held + self.others_in_flight
        total = sum(statuses.values())
        lines = [f'forkcast_worker_requests_total{{slot="0"}} {total}', f"forkcast_in_flight_requests {in_flight}"]
        lines += [
            f'forkcast_http_requests_total{{route="/predict",method="POST",status="{status}"}} {count}'
            for status, count in statuses.items()
        ]
        lines += [f'forkcast_batch_size_{part}{{model="m"}} {total}' for part in ("count", "sum")]
        return "\n".join(lines) + "\n"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: FakeServer

    def do_GET(self) -> None:
        body = self.server.exposition().encode()
        self.reply(self.server.status_of_get, body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        with self.server.lock:
            status, label = self.server.answers(body, self.server.held)
            self.server.held += 1
        try:
            self.reply(
                status,
                json.dumps({
                    "label": label, "score": 0.75, "probabilities": {label: 0.75}, "model": {"version": "1"},
                }).encode(),
            )  # fmt: skip
            with self.server.lock:
                self.server.statuses[status] += 1
        finally:
            # Not before it is counted: who has the answer may ask for the counters before this thread goes on.
            with self.server.lock:
                self.server.held -= 1

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-worker", "0")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class UnreadyServer(FakeServer):
    """Its model is not loaded."""

    status_of_get = 503


class CrowdedServer(FakeServer):
    """It has no room for the first scrapes."""

    scrapes = 0

    def exposition(self) -> str:
        self.scrapes += 1
        self.status_of_get = 503 if self.scrapes < 5 else 200
        return super().exposition()


class RespawningServer(FakeServer):
    """Its processes are others at each look."""

    looks = 0

    def pids(self) -> tuple[int, ...]:
        self.looks += 1
        return (os.getpid(),) * self.looks


class BusyServer(FakeServer):
    """Its counters go on for a while after the last request."""

    scrapes = 0

    def exposition(self) -> str:
        self.scrapes += 1
        self.statuses[200] = min(self.scrapes, 5)
        return super().exposition()


class HoldingServer(FakeServer):
    """Its counters stand still, but for a while it holds requests besides the scrape."""

    scrapes = 0

    def exposition(self) -> str:
        self.scrapes += 1
        self.others_in_flight = 3 if self.scrapes < 5 else 1
        return super().exposition()


@contextmanager
def fake_server(answers: Answers, kind: type[FakeServer] = FakeServer) -> Iterator[FakeServer]:
    with kind(answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
