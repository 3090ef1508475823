"""An open loop beside faults: requests at random times, whatever becomes of those before, and what did."""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from benchmarks.engine.client import Client, Failed
from benchmarks.surroundings.doubles import ENTITIES, RIGHT, asked, is_default

CLIENTS = 32
# Whoever has no answer by then has none.
PATIENCE_SECONDS = 5.0
GOOD, DEFAULTED, REFUSED = "200", "200 with defaults", "503"


@dataclass(frozen=True, slots=True)
class Ended:
    """A request from when it was due; `what` is its status, or how it failed."""

    due: float
    seconds: float
    what: str
    worker: str

    @property
    def at(self) -> float:
        return self.due + self.seconds


class Load:
    """`ended` are the requests so far, in the order of their ends."""

    def __init__(self, port: int, *, rate: float, seed: int) -> None:
        self.ended: list[Ended] = []
        self.most_late = 0.0
        self._port = port
        self._rate = rate
        self._order = random.Random(seed)
        self._numbers = count()
        self._idle = deque(Client(port, right=RIGHT) for _ in range(CLIENTS))
        self._under_way: set[float] = set()
        self._enough = False

    async def run(self) -> None:
        """Until `stop`; raises WrongAnswer then, where there was one."""
        requests = []
        due = time.perf_counter()
        while not self._enough:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self.most_late = max(self.most_late, time.perf_counter() - due)
            requests.append(asyncio.create_task(self._ask(due)))
            due += self._order.expovariate(self._rate)
        await asyncio.gather(*requests)
        for client in self._idle:
            client.close()

    def stop(self) -> None:
        self._enough = True

    def due_between(self, began: float, over: float) -> list[Ended]:
        return [each for each in self.ended if began <= each.due < over]

    def is_waiting(self, over: float) -> bool:
        """Whether a request that was due before then has not ended."""
        return any(due < over for due in self._under_way)

    async def _ask(self, due: float) -> None:
        self._under_way.add(due)
        # The one that was free longest, so that all are used, and with them all workers.
        client = self._idle.popleft() if self._idle else Client(self._port, right=RIGHT)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                reply = await asked(client, next(self._numbers) % ENTITIES)
        except TimeoutError:
            client.close()
            what, worker = f"no answer within {PATIENCE_SECONDS:g} s", ""
        except Failed as failure:
            what, worker = str(failure), ""
        else:
            what, worker = str(reply.status), reply.worker
            if what == GOOD and is_default(reply):
                what = DEFAULTED
        self._idle.append(client)
        self._under_way.discard(due)
        self.ended.append(Ended(due, time.perf_counter() - due, what, worker))


def statuses(ended: Sequence[Ended]) -> dict[str, int]:
    return dict(Counter(each.what for each in ended))
