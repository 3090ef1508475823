"""nginx that answers every request with the same JSON at once: what remains is what the generator can do."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from benchmarks import http_client
from benchmarks.failures import NotMeasurable, ServerFailed
from benchmarks.server import free_port

ANSWER = {"prediction": 1.0}
START_SECONDS = 10.0
PAUSE_SECONDS = 0.02
# Where nginx is, though a user's PATH often lacks it.
SYSTEM = "/usr/sbin"

# One process, as the server that is measured in its place has one; no file outside of the folder.
CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-errors.log;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {host}:{port};
        default_type application/json;
        location / {{ return 200 '{answer}'; }}
    }}
}}
"""


@contextmanager
def null_server(folder: Path) -> Iterator[int]:
    """Its port, once it answers; raises NotMeasurable where nginx is not installed."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:{SYSTEM}")
    if program is None:
        raise NotMeasurable("nginx is not installed; on Debian and Ubuntu: apt install nginx-light")
    port, file, log = free_port(), folder / "nginx.conf", folder / "nginx.log"
    values = {"folder": folder, "host": http_client.HOST, "port": port, "answer": json.dumps(ANSWER)}
    file.write_text(CONFIGURATION.format(**values))
    with log.open("wb") as output, subprocess.Popen(
        [program, "-p", str(folder), "-c", str(file)], stdin=subprocess.DEVNULL, stdout=output, stderr=output
    ) as process:  # fmt: skip
        try:
            wait_until_it_answers(process, port, log)
            yield port
        finally:
            process.terminate()


def wait_until_it_answers(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServerFailed("nginx did not start", log.read_text(errors="replace"))
        time.sleep(PAUSE_SECONDS)


def answers(port: int) -> bool:
    try:
        return http_client.post(port, "/", b"{}").status == 200
    except (OSError, HTTPException):
        return False
