"""One window of load, from the plan to what it yields."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import uvloop

from benchmarks.failures import NotMeasurable
from benchmarks.http_client import AS_JSON, HOST
from benchmarks.load_generator.exchange import Exchange
from benchmarks.load_generator.forms import FORMS
from benchmarks.load_generator.loops import ClosedLoop, OpenLoop
from benchmarks.load_generator.plan import Closed, Plan
from benchmarks.load_generator.records import Records
from benchmarks.load_generator.schedule import due_times

# How often late requests are looked for: they are recorded as at the timeout whenever they are found.
LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Window:
    """`started` is a moment of `time.monotonic`; the generator's processor time is that of the window alone."""

    started: float
    cpu_seconds: float
    connections_opened: int


def run(plan: Plan, bodies: Sequence[bytes], records: Records) -> Window:
    """Asks, and waits until nothing is under way; raises RequestsFailed where nobody listens."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_asked(plan, bodies, records))


async def _asked(plan: Plan, bodies: Sequence[bytes], records: Records) -> Window:
    exchange = _exchange(plan, bodies, records)
    loop = _loop(plan, exchange, len(bodies))
    await loop.prepare()
    cpu, started = time.process_time(), time.monotonic()
    loop.start(started, plan.seconds)
    while (left := started + plan.seconds - time.monotonic()) > 0:
        await asyncio.sleep(min(left, LOOK_SECONDS))
        exchange.give_up_late()
    spent = time.process_time() - cpu
    # What is due by then is asked, however late: to leave it out would be to leave out the latest.
    while exchange.busy or loop.asking:
        await asyncio.sleep(LOOK_SECONDS)
        exchange.give_up_late()
    loop.stop()
    exchange.close()
    return Window(started, spent, exchange.connections_opened)


def _exchange(plan: Plan, bodies: Sequence[bytes], records: Records) -> Exchange:
    keep_alive = not isinstance(plan.load, Closed) or plan.load.keep_alive
    form = FORMS[plan.form]
    return Exchange(
        port=plan.port,
        texts=[request_text(plan.path, body, keep_alive=keep_alive, headers=form.headers(body)) for body in bodies],
        timeout_seconds=plan.timeout_seconds,
        keep_alive=keep_alive,
        records=records,
    )


def _loop(plan: Plan, exchange: Exchange, bodies: int) -> ClosedLoop | OpenLoop:
    if isinstance(plan.load, Closed):
        return ClosedLoop(plan.load, exchange, bodies=bodies, errors_allowed=plan.errors_allowed)
    due = due_times(plan.load, plan.seconds).tolist()
    if not due:
        raise NotMeasurable(f"no request is due within {plan.seconds} s at {plan.load.rate} requests/s")
    return OpenLoop(due, exchange, rate=plan.load.rate, bodies=bodies)


def request_text(path: str, body: bytes, *, keep_alive: bool, headers: Mapping[str, str] = AS_JSON) -> bytes:
    closing = "" if keep_alive else "connection: close\r\n"
    told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path} HTTP/1.1\r\nhost: {HOST}\r\n{told}{closing}"
    return head.encode() + b"content-length: %d\r\n\r\n%s" % (len(body), body)
