"""What hundreds of replaced workers leave behind: bounded files, counters that never go back, short scrapes."""

import os
import signal
from itertools import pairwise
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.engine.client import Client, run
from benchmarks.engine.estimators import Waits, saved
from benchmarks.engine.figures import Figure, percentile
from benchmarks.engine.replaced import until
from benchmarks.server import Server, serving

WORKERS = 4
REPLACED = 400
SCRAPES = 20
COUNTER = "forkcast_http_requests_total"


def measure(folder: Path) -> list[Figure]:
    artifact = saved(Waits(0.0).fit(), folder / "waits.joblib")
    with serving(workers=WORKERS, execution="microbatch", model_uri=artifact, folder=folder) as server:
        metrics = _metrics_folder(server)
        before = len(list(metrics.iterdir()))
        counts = run(_replaced(server))
        after = len(list(metrics.iterdir()))
        waits = run(_scraped(server))
        for name, content in (("counter_900.db", b""), ("histogram_901.db", b"\1\0")):
            (metrics / name).write_bytes(content)
        damaged = run(_scrape(server))
    rises = all(earlier <= later for earlier, later in pairwise(counts))
    usual, late = (percentile(waits, percent) * 1000 for percent in (50, 99))
    return [
        Figure(
            f"metric files after {REPLACED} replaced workers",
            "bounded",
            f"{before} before, {after} after",
            after <= 2 * before,
        ),
        Figure(
            f"{COUNTER} over {len(counts)} scrapes meanwhile",
            "monotonic",
            f"{counts[0]:.0f} to {counts[-1]:.0f}",
            rises,
        ),
        Figure(
            "a scrape of the ops port after that", "under 20 ms", f"p50 {usual:.1f} ms, p99 {late:.1f} ms", late < 20
        ),
        Figure(
            "a scrape with an empty and a truncated metrics file",
            "answers",
            f"answers, with {damaged:.0f} requests counted",
            damaged >= counts[-1],
        ),
    ]


async def _replaced(server: Server) -> list[float]:
    """Kill one worker after the other; the sum of the counter at each scrape."""
    counts = []
    killed = 0
    ready = WORKERS + 1
    await until(lambda: server.log.count("worker ready") >= ready)
    while killed < REPLACED:
        await Client(server.port, keep_alive=False).post()
        status = (await Client(server.ops_port).get("/status")).document
        victims = [worker["pid"] for worker in status["workers"] if worker["role"] == "serve"]
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        killed += len(victims)
        ready += len(victims)
        await until(lambda: server.log.count("worker ready") >= ready)  # noqa: B023
        counts.append(await _scrape(server))
    return counts


async def _scraped(server: Server) -> list[float]:
    client = Client(server.ops_port)
    waits = [(await client.get("/metrics")).seconds for _ in range(SCRAPES)]
    client.close()
    return waits


async def _scrape(server: Server) -> float:
    reply = await Client(server.ops_port).get("/metrics")
    assert reply.status == 200, reply
    families = text_string_to_metric_families(reply.body.decode())
    return sum(sample.value for family in families for sample in family.samples if sample.name == COUNTER)


def _metrics_folder(server: Server) -> Path:
    opened = [Path(os.readlink(each)) for each in Path(f"/proc/{server.arbiter}/fd").iterdir()]
    [state] = [path for path in opened if "/forkcast-" in str(path) and path.is_dir()]
    return state / "metrics"
