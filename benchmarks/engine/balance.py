"""How evenly workers share bursts and kept-alive connections, against what perfect sharing would take."""

import asyncio
import contextlib
import os
import selectors
import signal
import socket
import statistics
import time
from collections import Counter
from pathlib import Path

from benchmarks.engine.client import HOST, RIGHT, Client, Failed, Reply, check, run
from benchmarks.engine.estimators import Waits, saved
from benchmarks.engine.figures import Figure, percentile
from benchmarks.server import serving

WORKERS = 4
SECONDS = 0.05
STARTS = 20
BURST = 32
KEPT = (4, 16, 64)
WINDOW_SECONDS = 5.0
IDLE = 1_000
IDLE_SECONDS = 3.0
RETURNING = 16
BODY = b'{"features": [1.0]}'
REQUEST = (
    b"POST /predict HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(BODY), BODY)
)


def burst(port: int) -> tuple[float, list[int]]:
    """
    The seconds until all of a burst of fresh connections are answered, and how many each worker answered.

    Plain sockets, so that the client's own work does not count: all connect and ask at once. Raises WrongAnswer.
    """
    answers: list[bytes] = []
    with selectors.DefaultSelector() as selector:
        started = time.perf_counter()
        for _ in range(BURST):
            connection = socket.create_connection((HOST, port))
            connection.sendall(REQUEST)
            selector.register(connection, selectors.EVENT_READ, (connection, bytearray()))
        while selector.get_map():
            for key, _ in selector.select(30):
                connection, answer = key.data
                answer.extend(data := connection.recv(65536))
                if not data:
                    answers.append(bytes(answer))
                    selector.unregister(connection)
                    connection.close()
        seconds = time.perf_counter() - started
    return seconds, sorted(Counter(map(_worker_of, answers)).values())


async def kept(port: int, connections: int) -> tuple[float, list[Reply]]:
    """Requests a second on so many kept-alive connections, and all answers within the window."""
    end = time.perf_counter() + WINDOW_SECONDS
    replies: list[Reply] = []

    async def ask() -> None:
        client = Client(port)
        while time.perf_counter() < end:
            replies.append(await client.post())
        client.close()

    await asyncio.gather(*(ask() for _ in range(connections)))
    within = [reply for reply in replies if reply.at <= end]
    assert all(reply.status == 200 for reply in within)
    return len(within) / WINDOW_SECONDS, within


async def beside_idle(port: int) -> tuple[float, list[int]]:
    """A burst beside kept-alive connections that have asked once and are silent since."""
    idle = [Client(port) for _ in range(IDLE)]
    for client in idle:
        await client.get("/healthz")
    await asyncio.sleep(IDLE_SECONDS)
    took = await asyncio.to_thread(burst, port)
    for client in idle:
        client.close()
    return took


async def returned(port: int, ops_port: int) -> tuple[float, list[int]]:
    """A worker is killed and comes back: the rate afterwards of clients that keep their connections, and the split."""
    clients = [Client(port) for _ in range(RETURNING)]
    counted: list[Reply] = []
    end = time.perf_counter() + 2 * WINDOW_SECONDS

    async def ask(client: Client) -> None:
        while time.perf_counter() < end:
            with contextlib.suppress(Failed):
                counted.append(await client.post())
        client.close()

    asking = [asyncio.create_task(ask(client)) for client in clients]
    await asyncio.sleep(1)
    status = (await Client(ops_port).get("/status")).document
    os.kill(next(worker["pid"] for worker in status["workers"] if worker["role"] == "serve"), signal.SIGKILL)
    await asyncio.gather(*asking)
    late = [reply for reply in counted if end - WINDOW_SECONDS < reply.at <= end]
    assert all(reply.status == 200 for reply in late)
    return len(late) / WINDOW_SECONDS, sorted(Counter(reply.worker for reply in late).values())


def measure_disturbed(folder: Path, artifact: str, execution: str) -> list[Figure]:
    with serving(workers=WORKERS, execution=execution, model_uri=artifact, folder=folder) as server:
        seconds, split = run(beside_idle(server.port))
        rate, shares = run(returned(server.port, server.ops_port))
    against = seconds / (BURST / WORKERS * SECONDS)
    share = rate * SECONDS / WORKERS
    return [
        Figure(
            f"{BURST} fresh connections beside {IDLE:,} idle ones, {execution}: time against the ideal",
            "<= 1.25",
            f"{against:.3f}, {' + '.join(map(str, split))}",
            against <= 1.25,
        ),
        Figure(
            f"{RETURNING} kept-alive connections after a worker was killed and came back, {execution}: the rate",
            "rate >= 0.93",
            f"{share:.3f}, {' + '.join(map(str, shares))} requests",
            share >= 0.93,
        ),
    ]


def measure(folder: Path, *, execution: str = "microbatch", starts: int = STARTS) -> list[Figure]:
    """Fresh starts of four workers; each ideal is that of workers which are never idle and take 50 ms a request."""
    artifact = saved(Waits(SECONDS).fit(), folder / "waits.joblib")
    bursts: list[float] = []
    rates: dict[int, list[float]] = {count: [] for count in KEPT}
    waits: dict[int, list[float]] = {count: [] for count in KEPT}
    for _ in range(starts):
        with serving(workers=WORKERS, execution=execution, model_uri=artifact, folder=folder) as server:
            bursts.append(burst(server.port)[0] / (BURST / WORKERS * SECONDS))
            for count in KEPT:
                rate, replies = run(kept(server.port, count))
                rates[count].append(rate * SECONDS / WORKERS)
                ideal = count / WORKERS * SECONDS
                waits[count].append(percentile([reply.seconds for reply in replies], 99) / ideal)
    middle, worst = statistics.median(bursts), max(bursts)
    figures = [
        Figure(
            f"{BURST} fresh connections at once, {starts} fresh starts, {execution}: time against the ideal",
            "median <= 1.10, worst <= 1.25", f"median {middle:.3f}, worst {worst:.3f}", middle <= 1.1 and worst <= 1.25,
        )
    ]  # fmt: skip
    for count in KEPT:
        rate, wait = min(rates[count]), max(waits[count])
        figures.append(
            Figure(
                f"{count} kept-alive connections, {starts} fresh starts, {execution}: against the ideal",
                "rate >= 0.93, p99 <= 1.5 times the wait", f"worst rate {rate:.3f}, worst p99 {wait:.2f}",
                rate >= 0.93 and wait <= 1.5,
            )
        )  # fmt: skip
    return [*figures, *measure_disturbed(folder, artifact, execution)]


def _worker_of(answer: bytes) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), answer
    check(body, RIGHT)
    return head.partition(b"x-worker: ")[2].partition(b"\r\n")[0]
