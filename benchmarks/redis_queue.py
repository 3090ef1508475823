"""What stands behind the queue: a Redis of its own, and the consumers that predict."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.baselines.consumer import READY
from benchmarks.failures import NotMeasurable, ServerFailed
from benchmarks.http_client import HOST
from benchmarks.server import LOG_LINES, PAUSE_SECONDS, START_SECONDS, STOP_SECONDS, free_port, started

CONSUMER = (sys.executable, "-m", "benchmarks.baselines.consumer")


class Queue:
    """Redis first, then the consumers, each with a log of its own."""

    def __init__(self, port: int, folder: Path) -> None:
        self.url = f"redis://{HOST}:{port}"
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        self._processes[name] = started(command, self._log(name), environment)
        return self._processes[name]

    def pids(self) -> tuple[int, ...]:
        """Raises ServerFailed where one has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise self.failed(name, f"{name} ended with status {process.returncode}")
        return tuple(process.pid for process in self._processes.values())

    def failed(self, name: str, reason: str) -> ServerFailed:
        lines = self._log(name).read_text(errors="replace").splitlines()
        return ServerFailed(reason, "\n".join(lines[-LOG_LINES:]))

    def wait_until_ready(self, consumers: int) -> None:
        """Until Redis answers and each consumer has said in it that it has loaded the model."""
        from redis import Redis
        from redis.exceptions import ConnectionError as NoConnection

        deadline = time.monotonic() + START_SECONDS
        with Redis.from_url(self.url) as redis:
            while True:
                self.pids()
                try:
                    ready = int(redis.get(READY) or 0)
                except NoConnection:
                    ready = -1
                if ready == consumers:
                    return
                if time.monotonic() > deadline:
                    raise self.failed("redis", f"after {START_SECONDS:.0f} s only {ready} consumers are ready")
                time.sleep(PAUSE_SECONDS)

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


@contextmanager
def queue(*, consumers: int, environment: Mapping[str, str], folder: Path) -> Iterator[Queue]:
    """A queue that is ready and keeps nothing on disk; all of it is stopped whatever happens."""
    server = shutil.which("redis-server")
    if server is None:
        raise NotMeasurable("redis-server is not installed; on Debian and Ubuntu: apt install redis-server")
    port = free_port()
    held = Queue(port, folder)
    command = [server, "--port", str(port), "--bind", HOST, "--dir", str(folder), "--save", "", "--appendonly", "no"]
    with ExitStack() as stack:
        stack.callback(stop, stack.enter_context(held.start("redis", command, environment)))
        held.wait_until_ready(0)
        for number in range(consumers):
            consumer = held.start(f"consumer-{number}", [*CONSUMER], {**environment, "REDIS_URL": held.url})
            stack.callback(stop, stack.enter_context(consumer))
        held.wait_until_ready(consumers)
        yield held


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
