"""A server of two processes that answer the label in the question; its arguments say how well it does."""

import http.server
import json
import os
import signal
import socket
import sys
import threading

# What an answer takes: so long that each process always has some of many requests, though the other one stalls.
SECONDS = 0.2
PORT, HOW = int(sys.argv[1]), sys.argv[2]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        label = json.loads(self.rfile.read(int(self.headers["content-length"])))["label"]
        threading.Event().wait(SECONDS)
        body = json.dumps({"label": "another" if HOW == "wrong" else label, "by": os.getpid()}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


def worker() -> int:
    pid = os.fork()
    if not pid:
        # One that does not end when it is asked to.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Server(("127.0.0.1", PORT), Handler).serve_forever()
    return pid


def start() -> None:
    held.update((worker(), worker()))
    started.set()
    # It stays: what a thread started is the next one's when it ends.
    threading.Event().wait()


if __name__ == "__main__":
    held: set[int] = set()
    if HOW == "broken":
        sys.exit("no model here")
    # From another thread than the first: the kernel lists a process's children by thread.
    started = threading.Event()
    threading.Thread(target=start, daemon=True).start()
    started.wait()
    while True:
        pid, _ = os.wait()
        if HOW == "ends":
            break
        if HOW == "forgets":
            signal.pause()
        held = held - {pid} | {worker()}
