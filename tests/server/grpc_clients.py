"""
Clients over gRPC in a process of their own, for grpc's threads do not go with the forks of tests.

`load PORT` asks until its standard input ends, and tells of all. `shares PORT COUNT` connects so many clients
and tells how many each worker has, once it is the same for all or the time is up; and again for each line of its input.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import grpc

from app.api import open_inference_pb2 as messages

SERVICE = "/inference.GRPCInferenceService/"
KEPT, FRESH, TOGETHER = 6, 6, 12
CALL_SECONDS = 20
PATIENCE_SECONDS = 30
# With a worker that was killed.
LOST = "lost"
# Else channels to one address would share a connection.
APART = [("grpc.use_local_subchannel_pool", 1)]


def numbers(*rows: Sequence[float]) -> Any:
    request = messages.ModelInferRequest(model_name="sleeper")
    given = request.inputs.add(name="input-0", datatype="FP64", shape=[len(rows), len(rows[0])])
    given.contents.fp64_contents.extend([value for row in rows for value in row])
    return request


async def call(channel: Any, method: str, request: Any, answer: Any) -> tuple[Any, str]:
    """The answer, and the worker that gave it."""
    calling = channel.unary_unary(
        SERVICE + method, request_serializer=type(request).SerializeToString, response_deserializer=answer.FromString
    )(request, timeout=CALL_SECONDS, wait_for_ready=False)
    told = await calling
    return told, dict(await calling.initial_metadata())["x-worker"]


class Load:
    """Clients that keep their channel, ones that make a new one for each call, and one that asks much at once."""

    def __init__(self, port: str) -> None:
        self._target = f"127.0.0.1:{port}"
        self._over = False
        self.answered: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    async def run(self) -> None:
        tasks = [asyncio.create_task(each) for each in [self._kept(1) for _ in range(KEPT)]]
        tasks += [asyncio.create_task(self._fresh()) for _ in range(FRESH)]
        tasks.append(asyncio.create_task(self._kept(TOGETHER)))
        sys.stdout.write("asking\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        self._over = True
        await asyncio.gather(*tasks)
        tell({"answered": self.answered, "failed": self.failed})

    async def _kept(self, at_once: int) -> None:
        async with grpc.aio.insecure_channel(self._target, options=APART) as channel:
            await asyncio.gather(*[self._ask_on(channel) for _ in range(at_once)])

    async def _ask_on(self, channel: Any) -> None:
        while not self._over and await self._ask(channel):
            pass

    async def _fresh(self) -> None:
        answered = True
        while not self._over and answered:
            async with grpc.aio.insecure_channel(self._target, options=APART) as channel:
                answered = await self._ask(channel)

    async def _ask(self, channel: Any) -> bool:
        """Whether it was answered: who was not asks no more."""
        try:
            answer, worker = await call(channel, "ModelInfer", numbers([0.02]), messages.ModelInferResponse)
        except grpc.aio.AioRpcError as error:
            self.failed[f"{error.code().name}: {error.details()}"] += 1
            return False
        assert list(answer.outputs[0].contents.fp64_contents) == [0.02]
        self.answered[worker] += 1
        return True


class Shares:
    """Of clients that keep their channel, which ask all at once."""

    def __init__(self, port: str, count: str) -> None:
        target = f"127.0.0.1:{port}"
        self._channels = [grpc.aio.insecure_channel(target, options=APART) for _ in range(int(count))]

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        tell(await self._settled())
        while await loop.run_in_executor(None, sys.stdin.readline):
            tell(await self._settled())
        for channel in self._channels:
            await channel.close()

    async def _settled(self) -> Counter[str]:
        limit = time.monotonic() + PATIENCE_SECONDS
        found: Counter[str] = Counter()
        while time.monotonic() < limit and (LOST in found or len(found) < 2 or len(set(found.values())) != 1):
            found = Counter(await asyncio.gather(*map(self._worker_of, self._channels)))
        return found

    async def _worker_of(self, channel: Any) -> str:
        try:
            _, worker = await call(
                channel, "ServerMetadata", messages.ServerMetadataRequest(), messages.ServerMetadataResponse
            )
        except grpc.aio.AioRpcError:
            return LOST
        return worker


def tell(told: Any) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


async def main(what: str, *arguments: str) -> None:
    await {"shares": Shares, "load": Load}[what](*arguments).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
