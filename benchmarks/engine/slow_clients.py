"""Good traffic beside clients that send a byte now and then."""

import asyncio
import socket
from pathlib import Path

from benchmarks.engine.client import HOST, Client, run
from benchmarks.engine.estimators import Waits, saved
from benchmarks.engine.figures import Figure, percentile
from benchmarks.server import serving

SLOW_CLIENTS = 500
BYTE_EVERY_SECONDS = 2.0
GOOD_CLIENTS = 4
WINDOW_SECONDS = 15.0
HEADS = (b"GET / HTTP/1.1\r\nx: ", b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{")


def measure(folder: Path) -> list[Figure]:
    artifact = saved(Waits(0.005).fit(), folder / "waits.joblib")
    with serving(workers=2, execution="microbatch", model_uri=artifact, folder=folder) as server:
        normal, beside = run(_compared(server.port))
    usual, now = percentile(normal, 99), percentile(beside, 99)
    return [
        Figure(
            f"{SLOW_CLIENTS} slow clients, half of them in their headers, half in their body",
            "p99 of good traffic < 2 times its normal",
            f"{now / usual:.2f} times ({usual * 1000:.1f} ms, then {now * 1000:.1f} ms)",
            now < 2 * usual,
        )
    ]


async def _compared(port: int) -> tuple[list[float], list[float]]:
    """Seconds of good requests without and with the slow clients, of which the server ends those that are too late."""
    normal = await _good(port)
    dripping = [asyncio.create_task(_drip(port, HEADS[number % 2])) for number in range(SLOW_CLIENTS)]
    await asyncio.sleep(1.0)
    beside = await _good(port)
    for task in dripping:
        task.cancel()
    await asyncio.gather(*dripping, return_exceptions=True)
    return normal, beside


async def _good(port: int) -> list[float]:
    loop = asyncio.get_running_loop()
    end = loop.time() + WINDOW_SECONDS
    seconds = []

    async def ask(number: int) -> None:
        client = Client(port, keep_alive=number % 2 == 0)
        while loop.time() < end:
            reply = await client.post()
            assert reply.status == 200, reply
            seconds.append(reply.seconds)
        client.close()

    await asyncio.gather(*(ask(number) for number in range(GOOD_CLIENTS)))
    return seconds


async def _drip(port: int, head: bytes) -> None:
    """A client that comes again as soon as it is thrown out."""
    loop = asyncio.get_running_loop()
    while True:
        with socket.socket() as connection:
            connection.setblocking(False)
            await loop.sock_connect(connection, (HOST, port))
            try:
                await loop.sock_sendall(connection, head)
                while True:
                    await asyncio.sleep(BYTE_EVERY_SECONDS)
                    await loop.sock_sendall(connection, b"x")
            except ConnectionError:
                continue
