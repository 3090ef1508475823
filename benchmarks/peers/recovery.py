"""What `kill -9` of the busiest worker costs under load, and how long it takes until all is well."""

import asyncio
import os
import re
import signal
import time
from collections import Counter
from dataclasses import dataclass

import uvloop

from app.processes.usage import PROC
from benchmarks.failures import RequestsFailed, ServerFailed
from benchmarks.load_generator import answers
from benchmarks.peers.asked import Asked
from benchmarks.peers.crowd import Crowd
from benchmarks.peers.server import PeerServer
from benchmarks.processes import family

CLIENTS = 32
NEARLY = 0.75


@dataclass(frozen=True, slots=True)
class Patience:
    """
    How long the server is watched before the kill, how long all must be well, and how long that is waited for.

    All is well where no request fails, there are as many processes of each kind as before, and nearly the rate.
    """

    before_seconds: float = 3.0
    good_seconds: float = 2.0
    most_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Recovery:
    """`seconds` are None where all was not well within `most_seconds`, and `lacking` says what was not."""

    victim: str
    seconds: float | None
    lacking: str | None
    failed: int
    requests: int
    rate_before: float


def recovery(server: PeerServer, victim: int, asked: list[Asked], *, patience: Patience) -> Recovery:
    """Raises RunFailed where a request failed before the kill, or an answer was wrong before or after."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_watched(server, victim, asked, patience=patience))


async def _watched(server: PeerServer, victim: int, asked: list[Asked], *, patience: Patience) -> Recovery:
    crowd = Crowd(server.port, asked)
    crowd.start(CLIENTS)
    try:
        rate = await _rate_before(crowd, patience)
        kinds, what = Counter(map(kind, server.pids())), kind(victim)
        os.kill(victim, signal.SIGKILL)
        killed, rows = time.monotonic(), len(crowd.records.done)
        watch = Watch(server, crowd, kinds, rate, patience)
        lacking = await watch.until_well()
        well_since = time.monotonic() - patience.good_seconds
    finally:
        await crowd.stop()
    answers.check(crowd.records.answers, [each.body for each in asked], [each.expected for each in asked])
    late = [ended for ended, status in zip(crowd.records.done, crowd.records.status, strict=True) if status != 200]
    return Recovery(
        victim=what,
        # A request that was given up only now harmed its client until now.
        seconds=None if lacking else max(0.0, *(moment - killed for moment in (well_since, *late))),
        lacking=lacking,
        failed=crowd.failed(),
        requests=len(crowd.records.done) - rows,
        rate_before=rate,
    )


async def _rate_before(crowd: Crowd, patience: Patience) -> float:
    """Requests a second of an undisturbed server; raises RequestsFailed where one failed."""
    started = time.monotonic()
    while time.monotonic() < started + patience.before_seconds:
        await crowd.look()
    if crowd.failed():
        raise RequestsFailed(f"{crowd.failed()} requests failed before any process was killed")
    # Of the last part of it: the first requests met a server that was asked nothing.
    part = patience.before_seconds * 2 / 3
    return sum(done > time.monotonic() - part for done in crowd.records.done) / part


@dataclass(frozen=True, slots=True)
class Watch:
    """What there was before the kill: processes of each kind, and requests a second."""

    server: PeerServer
    crowd: Crowd
    kinds: Counter[str]
    rate: float
    patience: Patience

    async def until_well(self) -> str | None:
        """None as soon as all was well for long enough, else what was lacking at the deadline."""
        done, good_seconds = self.crowd.records.done, self.patience.good_seconds
        killed, first, lacking = time.monotonic(), len(done), None
        while (now := time.monotonic()) < killed + self.patience.most_seconds:
            await self.crowd.look()
            while first < len(done) and done[first] < now - good_seconds:
                first += 1
            if not self.server.living():
                return "the server ended"
            lacking = self._lacking(first)
            if now - killed > good_seconds and lacking is None:
                return None
        return lacking

    def _lacking(self, first: int) -> str | None:
        """Among the latest requests, which are those from row `first` on, and the processes."""
        if failed := self.crowd.failed(first):
            return f"{failed} requests failed within {self.patience.good_seconds:.0f} s"
        if missing := self.kinds - Counter(map(kind, self.server.living())):
            return f"missing: {', '.join(f'{count} of {what}' for what, count in sorted(missing.items()))}"
        share = (len(self.crowd.records.done) - first) / self.patience.good_seconds / self.rate
        return None if share >= NEARLY else f"{share:.0%} of the rate before"


def kind(pid: int) -> str:
    """The command line without folders and numbers: processes that do the same have the same."""
    try:
        words = (PROC / f"{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "gone"
    # What a process of Ray calls itself goes on with what it does at the moment.
    plain = re.sub(r"^(ray::\w+).*", r"\1", re.sub(r"\S*/", "", words))
    return re.sub(r"\d+", "#", plain).strip()


def busiest(server: PeerServer, spent: dict[int, float]) -> int:
    """By processor time under load, of those that started no other: these work, and the others look after them."""
    below = {pid: len(family(pid)) - 1 for pid in spent}
    candidates = {pid: seconds for pid, seconds in spent.items() if pid != server.first and below[pid] == 0}
    if not candidates:
        raise ServerFailed("the server has one process alone")
    return max(candidates, key=lambda pid: candidates[pid])
