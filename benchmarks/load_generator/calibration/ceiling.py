"""The most that the generator itself can do, against a server that costs next to nothing."""

from pathlib import Path

from benchmarks.engine.figures import Figure
from benchmarks.load_generator.calibration.null_server import ANSWER, null_server
from benchmarks.load_generator.calibration.questions import Asking, asking
from benchmarks.load_generator.plan import Measured

# At these rates enough for any percentile, and there are many windows.
MOST_SECONDS = 5.0
CONNECTIONS = (1, 32, 128)
RATES = (500, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 8_000, 10_000)
# Once is too few to tell what the generator can do from what the machine did meanwhile.
TRIES = 3
# What a server of two workers, each with a model that takes a millisecond, answers.
CLOSED_NEEDED = 5_000
OPEN_NEEDED = 2_000


def measure(folder: Path, seconds: float) -> list[Figure]:
    with null_server(folder) as port:
        asked = asking(port, folder, answer=ANSWER, seconds=min(seconds, MOST_SECONDS))
        closed = [closed_figure(asked, connections) for connections in CONNECTIONS]
        return [*closed, fresh_figure(asked), open_figure(asked)]


def closed_figure(asked: Asking, connections: int) -> Figure:
    found = asked.closed(connections)
    return Figure(
        f"closed loop, {connections} connections, nginx: ceiling", f">= {CLOSED_NEEDED:,} requests/s", told(found),
        found.requests_per_second >= CLOSED_NEEDED,
    )  # fmt: skip


def fresh_figure(asked: Asking) -> Figure:
    found = asked.closed(CONNECTIONS[1], keep_alive=False)
    return Figure(f"the same, {CONNECTIONS[1]} at a time, a fresh connection each", "", told(found), None)


def open_figure(asked: Asking) -> Figure:
    """The highest rate up to which most windows were sound, and what ended it."""
    sound: Measured | None = None
    reason = "it was sound at all rates"
    for rate in RATES:
        tries = [asked.open_loop(rate) for _ in range(TRIES)]
        void = [each.void[0] for each in tries if each.void]
        if len(void) * 2 > TRIES:
            reason = f"at {rate:,} requests/s {void[0]}"
            break
        sound = next(each for each in tries if not each.void)
    reached = 0.0 if sound is None or sound.offered_per_second is None else sound.offered_per_second
    return Figure(
        f"open loop, Poisson arrivals, nginx: highest rate at which most of {TRIES} windows are sound",
        f">= {OPEN_NEEDED:,} requests/s",
        f"{reached:,.0f} requests/s, {lag(sound)}; {reason}",
        reached >= OPEN_NEEDED * 0.95,
    )


def told(found: Measured) -> str:
    share = f"{found.cpu_share:.0%} of all cores"
    void = f"; void: {'; '.join(found.void)}" if found.void else ""
    return f"{found.requests_per_second:,.0f} requests/s, p50 {found.p50_seconds * 1e3:.2f} ms, {share}{void}"


def lag(found: Measured | None) -> str:
    if found is None or found.lag_p99_seconds is None:
        return "none"
    p99 = "" if found.p99_seconds is None else f", p99 {found.p99_seconds * 1e3:.2f} ms"
    latency = f"p50 {found.p50_seconds * 1e3:.2f} ms{p99}"
    return f"{found.cpu_share:.0%} of all cores, p99 of the lag {found.lag_p99_seconds * 1e3:.2f} ms, {latency}"
