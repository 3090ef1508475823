"""Two workers against one, `inline`, on the default text model: in each of many fresh starts, not on average."""

import statistics
from pathlib import Path

from benchmarks import wrk
from benchmarks.engine.figures import Figure
from benchmarks.processes import cpu_seconds
from benchmarks.server import Server, serving
from benchmarks.subjects import served_model
from benchmarks.workload import review_bodies, write_bodies

STARTS = 10
CONNECTIONS = 32
WARM_UP_SECONDS = 2
WINDOW_SECONDS = 5
ASKED = 1.8
SEED = 20


def measure(folder: Path) -> list[Figure]:
    uri, runtime = served_model()
    bodies = write_bodies(review_bodies(runtime, SEED), folder / "bodies.jsonl")
    ratios, shares = [], []
    for _ in range(STARTS):
        rates = []
        for workers in (1, 2):
            with serving(workers=workers, execution="inline", model_uri=uri, folder=folder) as server:
                rate, share = _rate(server, bodies)
            rates.append(rate)
            shares.append(share)
        ratios.append(rates[1] / rates[0])
    return [
        Figure(
            f"text model, inline, {CONNECTIONS} connections: two workers against one, in each of {STARTS} fresh starts",
            f">= {ASKED} in every one",
            f"worst {min(ratios):.2f}, median {statistics.median(ratios):.2f}, best {max(ratios):.2f}; the load "
            f"generator took at most {max(shares):.1%} of the server's processor time",
            min(ratios) >= ASKED,
        )
    ]


def _rate(server: Server, bodies: Path) -> tuple[float, float]:
    """Requests a second, and the load generator's processor time against the server's."""
    wrk.measure(port=server.port, bodies=bodies, seconds=WARM_UP_SECONDS, connections=CONNECTIONS)
    spent = cpu_seconds(server.pids())
    window = wrk.measure(port=server.port, bodies=bodies, seconds=WINDOW_SECONDS, connections=CONNECTIONS)
    spent = cpu_seconds(server.pids()) - spent
    return window.load.requests_per_second, window.cpu_seconds / spent
