"""A small HTTP server of one text model, which turns bad in a chosen way once its first answers are given."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TEXT = {"type": "string", "minLength": 1}
EXAMPLE = {"text": "a warm and funny film"}
# What is asked before a load: so many texts alone, and so many batches of them.
ALONE = 16
BATCHES = 4
# Between two looks whether it is to end.
POLL_SECONDS = 0.02

Answer = tuple[int, bytes]
# From the answer that would be right, and its status.
Spoil = Callable[[dict[str, Any]], Answer]


def rightly(answer: dict[str, Any]) -> Answer:
    return 200, json.dumps(answer).encode()


class VisitedServer(ThreadingHTTPServer):
    """`health` and `ready` are what it says of itself, `later` what becomes of all answers after the `first` ones."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, *, later: Spoil = rightly, first: int = ALONE + BATCHES, health: Answer | None = None, ready: int = 200
    ) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.later = later
        self.first = first
        self.health = health or (200, b'{"status": "ok", "model_loaded": true}')
        self.ready = ready
        self.asked = 0
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: VisitedServer

    def do_GET(self) -> None:
        said = {
            "/health": self.server.health,
            "/readyz": (self.server.ready, b"{}"),
            "/openapi.json": (200, json.dumps({"paths": {"/predict": {"post": document()}}}).encode()),
        }
        self.reply(*said[self.path])

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.lock:
            self.server.asked += 1
            number = self.server.asked
        form = (
            label_of(asked["text"]) if "text" in asked else {"predictions": [label_of(text) for text in asked["texts"]]}
        )
        right = {**form, "model": {"name": "m", "version": "1"}, "request_id": str(number)}
        self.reply(*(self.server.later if number > self.server.first else rightly)(right))

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def document() -> dict[str, Any]:
    schema = {"type": "object", "properties": {"text": TEXT}}
    return {"requestBody": {"content": {"application/json": {"schema": schema, "example": EXAMPLE}}}}


def label_of(text: str) -> dict[str, Any]:
    score = len(text) / 100
    return {"label": "long" if len(text) > 10 else "short", "score": score, "probabilities": {"long": score}}


@contextmanager
def visited_server(**behaviour: Any) -> Iterator[VisitedServer]:
    with VisitedServer(**behaviour) as server:
        thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
