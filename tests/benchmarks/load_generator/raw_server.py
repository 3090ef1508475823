"""A small HTTP server whose answers are bytes, so that each can be wrong, late or missing in its own way."""

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

RIGHT = {"label": "positive", "score": 0.75}
# From the number of the request, counted over all connections; nothing at all breaks the connection.
Answers = Callable[[int], bytes]


def answer(document: Any = RIGHT, *, status: int = 200, headers: str = "x-worker: 1\r\n") -> bytes:
    body = json.dumps(document).encode()
    return f"HTTP/1.1 {status} Some Reason\r\n{headers}content-length: {len(body)}\r\n\r\n".encode() + body


class RawServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, answers: Answers) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        self.answers = answers
        self.connections = 0
        # Of the clients that asked something.
        self.ports: set[int] = set()
        self.asked: list[bytes] = []
        self.heads: list[dict[bytes, bytes]] = []
        self.lock = threading.Lock()


class Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: RawServer

    def handle(self) -> None:
        with self.server.lock:
            self.server.connections += 1
        while head := self.head():
            body = self.rfile.read(int(head[b"content-length"]))
            with self.server.lock:
                number = len(self.server.asked)
                self.server.asked.append(body)
                self.server.heads.append(head)
                self.server.ports.add(self.client_address[1])
            reply = self.server.answers(number)
            self.wfile.write(reply)
            if not reply or b"connection: close" in reply or head.get(b"connection") == b"close":
                break

    def head(self) -> dict[bytes, bytes]:
        """Empty where the other side has closed."""
        lines = []
        while line := self.rfile.readline().strip():
            lines.append(line)
        return dict(line.lower().split(b": ", 1) for line in lines[1:])


@contextmanager
def raw_server(answers: Answers) -> Iterator[RawServer]:
    with RawServer(answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
