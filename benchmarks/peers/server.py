"""A peer's server as a tree of processes: started, asked until it answers rightly, and gone afterwards."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from benchmarks import http_client
from benchmarks.failures import RequestsFailed, ServerFailed
from benchmarks.peers.contract import Launch
from benchmarks.processes import family, started_at
from benchmarks.server import LOG_LINES, NOT_INHERITED, started
from benchmarks.workload import Question

# The slowest of them starts a cluster.
START_SECONDS = 120.0
PAUSE_SECONDS = 0.02
# No figure depends on how it ends.
STOP_SECONDS = 5.0


class PeerServer:
    """`first` is the process that was started: what a supervisor of the host would watch."""

    def __init__(self, process: "subprocess.Popen[bytes]", *, port: int, log: Path) -> None:
        self.port = port
        self.first = process.pid
        self._process = process
        self._log = log
        # With the moment of its start, for a number is given anew.
        self._seen: dict[int, int] = {}

    def pids(self) -> tuple[int, ...]:
        """All its processes, the first one first; raises ServerFailed where that has ended."""
        found = self.living()
        if self._process.poll() is not None:
            raise self.failed(f"the server ended with status {self._process.returncode}")
        return found

    def living(self) -> tuple[int, ...]:
        """As `pids`, empty where the first one has ended."""
        found = family(self.first) if self._process.poll() is None else ()
        for pid in found:
            with contextlib.suppress(OSError):
                self._seen[pid] = started_at(pid)
        return found

    def wait_until_right(self, question: Question) -> None:
        """Ask again and again; raises WrongAnswer at the first wrong answer, ServerFailed at the deadline."""
        deadline, last = time.monotonic() + START_SECONDS, "nothing"
        while time.monotonic() < deadline:
            self.pids()
            try:
                question.check(http_client.post(self.port, question.path, question.body, headers=question.headers))
                return
            except (OSError, HTTPException, RequestsFailed) as error:
                last = str(error)
            time.sleep(PAUSE_SECONDS)
        raise self.failed(f"after {START_SECONDS:.0f} s there is no right answer, last {last}")

    def stop(self) -> None:
        """Ask the first to end, then make sure of all that were ever seen."""
        self.living()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        for pid in (*self.living(), *self._left()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def failed(self, reason: str) -> ServerFailed:
        lines = self._log.read_text(errors="replace").splitlines()
        return ServerFailed(reason, "\n".join(lines[-LOG_LINES:]))

    def _left(self) -> Iterator[int]:
        """Those that outlived the first, with what they started meanwhile."""
        for pid, moment in list(self._seen.items()):
            with contextlib.suppress(OSError):
                if started_at(pid) == moment:
                    yield from reversed(family(pid))


@contextmanager
def served(launch: Launch, *, port: int, folder: Path) -> Iterator[PeerServer]:
    """Started, not yet ready; its output goes to a file in `folder`, and it is stopped whatever happens."""
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    log = folder / "server.log"
    process = started(launch.command, log, {**inherited, **launch.environment}, folder=launch.folder or folder)
    server = PeerServer(process, port=port, log=log)
    try:
        yield server
    finally:
        server.stop()
