"""Somebody who asks for the server's health, now and then, while others load it with predictions."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException

import numpy as np

from benchmarks import http_client
from benchmarks.failures import RequestsFailed
from benchmarks.markdown import Row

PATH = "/healthz"
EVERY_SECONDS = 0.05
# More wait at once only where a server has not answered for seconds.
MOST_AT_ONCE = 128


class Ask:
    """One question: when it was due, and when and how it was answered."""

    def __init__(self, due: float) -> None:
        self.due = due
        self.answered: float | None = None
        self.failure: str | None = None


class Bystander(threading.Thread):
    """
    Asks at fixed times, whatever was answered, each on a fresh connection, so that it meets whichever worker takes it.

    A wait is from when the question was due, and holds the connect.
    """

    def __init__(self, port: int, every_seconds: float = EVERY_SECONDS) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._every_seconds = every_seconds
        self._enough = threading.Event()
        self._asked: list[Ask] = []

    def run(self) -> None:
        due = time.monotonic()
        askers = ThreadPoolExecutor(MOST_AT_ONCE)
        while not self._enough.wait(max(0.0, due - time.monotonic())):
            self._asked.append(Ask(due))
            askers.submit(self._ask, self._asked[-1])
            due += self._every_seconds
        askers.shutdown()

    def stop(self) -> None:
        """Asks no more, and waits for the answers to what it has asked."""
        self._enough.set()
        self.join()

    def waited(self, start: float, seconds: float, *, overload: bool = False) -> Row | None:
        """
        What it saw of a window by `time.monotonic`; None where nothing was due in it.

        Raises RequestsFailed where one was not answered as it should, but in an overload: there it is counted.
        """
        self.stop()
        asked = [each for each in self._asked if start <= each.due < start + seconds]
        failures = [each.failure for each in asked if each.failure is not None]
        if failures and not overload:
            raise RequestsFailed(f"{PATH} was not answered as it should under load: {failures[0]}")
        waits = [each.answered - each.due for each in asked if each.answered is not None]
        if not waits:
            return None
        p50, p99 = np.percentile(waits, [50, 99])
        return {
            "requests": len(waits),
            "failed": len(failures),
            "p50_seconds": float(p50),
            "p99_seconds": float(p99),
            "max_seconds": max(waits),
        }

    def _ask(self, ask: Ask) -> None:
        try:
            reply = http_client.get(self._port, PATH)
        except (OSError, HTTPException) as error:
            ask.failure = repr(error)
            return
        if reply.status == 200:
            ask.answered = time.monotonic()
        else:
            ask.failure = f"status {reply.status}"


@contextmanager
def standing_by(port: int) -> Iterator[Bystander]:
    """One that asks until it is told to stop, or the block ends."""
    bystander = Bystander(port)
    bystander.start()
    try:
        yield bystander
    finally:
        bystander.stop()
