"""The contract of a queue of background jobs, whatever keeps them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]
STATUSES: tuple[Status, ...] = ("queued", "running", "succeeded", "failed", "cancelled")
ENDED: tuple[Status, ...] = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Terms:
    """
    What a queue holds jobs to.

    A job that is queued, even one that waits for its backoff, counts against `most_queued`. A claim that is not renewed
    for `lease_seconds` is over, and the job may be claimed again at once. After a failed attempt it may be claimed
    again `backoff_seconds` later, after the next one twice that later, and so on; there are `most_attempts` in all.
    What became of a job is forgotten `result_seconds` after its end. All who share a store have the same terms.
    """

    most_queued: int
    most_attempts: int
    lease_seconds: float
    backoff_seconds: float
    result_seconds: float

    def wait_after(self, attempt: int) -> float:
        """Seconds from the end of that attempt, the first being 1, to the next."""
        return float(self.backoff_seconds * 2 ** (attempt - 1))

    @property
    def ran_out(self) -> str:
        """What is told of a job whose last claim ran out."""
        return f"The last of {self.most_attempts} attempts came to no end: its consumer stopped or hung"


@dataclass(frozen=True, slots=True)
class Order:
    """
    What is asked: `payload` is the body of a request to the synchronous twin, which `kind` names.

    `version` None is the newest one when the job runs. `owner` is the name of the API key, empty without keys; an
    `idempotency_key` is unique for its owner.
    """

    kind: Literal["predict", "generate"]
    model: str
    version: str | None
    owner: str
    payload: bytes
    idempotency_key: str | None = None

    def digest(self) -> bytes:
        """Of what is asked, as its key may come again only with the same; takes a while where that is large."""
        head = json.dumps([self.kind, self.model, self.version]).encode()
        return hashlib.sha256(head + b"\n" + self.payload).digest()


@dataclass(frozen=True, slots=True)
class Job:
    """
    What is known of a job; times are seconds since the epoch.

    `done` of `total` instances have been predicted in the present attempt, which began at `started`; a job that is
    queued has none. `result` is the body of the synchronous twin's answer; of a job that failed, `error` says in words
    for its owner why there is none. `attempts` are those that count: none that was released.
    """

    id: str
    owner: str
    status: Status
    created: float
    attempts: int
    done: int = 0
    total: int = 0
    started: float | None = None
    finished: float | None = None
    result: bytes | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """
    The right to run a job, for as long as it is renewed.

    `attempt` counts from 1 on, and again after a replay; a released one does not count. `token` fences: a job never
    gives the same one twice.
    """

    id: str
    order: Order
    attempt: int
    token: int


@dataclass(frozen=True, slots=True)
class Counts:
    """`oldest_queued_seconds` is how long the job has waited that waits for longest; 0 where none does."""

    by_status: Mapping[Status, int]
    oldest_queued_seconds: float


class JobQueue(Protocol):
    """
    At-least-once: a job that `enqueue` has answered survives any process that is killed, and the store's own restart.

    Exactly one result: what is told of a claim that is no longer the job's changes nothing, and answers False. A claim
    whose lease is over is the job's until the job is claimed again, is cancelled or has ended.

    Any method raises JobsUnavailable where the store cannot be reached in time, or has no room; it may be called again.
    Whether that call changed anything is then unknown: an order with an idempotency key may come again, and what a lost
    claim holds comes back when its lease is over. A queue may be made before a fork: it is opened at the first call in
    a process.
    """

    async def enqueue(self, order: Order) -> Job:
        """
        Durable once it returns; a known idempotency key gives the job that it gave first, also where the queue is full.

        A key is known as long as its job is; that job comes without its result. Raises QueueFull, IdempotencyKeyReused
        where the key came with another order, and JobTooLarge where the store never takes so large a payload.
        """
        ...

    async def find(self, job_id: str, owner: str) -> Job | None:
        """None for another owner's, too."""
        ...

    async def cancel(self, job_id: str, owner: str) -> Job | None:
        """As `find`, after a job that had not ended became cancelled; who runs it learns so when it renews."""
        ...

    async def claim(self, consumer: str, wait_seconds: float) -> Claim | None:
        """
        The job that has waited for longest, or None after so many seconds without one.

        Before those that wait come those that are released or whose lease is over; a job comes to the end of the queue
        when its backoff is over. A job whose last claim of `most_attempts` ran out becomes failed here, and is not
        claimed. Cancelled, it holds nothing: what it had claimed is released.
        """
        ...

    async def renew(self, claim: Claim, done: int, total: int) -> bool:
        """The lease begins again, and the progress is seen; False where the claim is no longer the job's."""
        ...

    async def succeed(self, claim: Claim, result: bytes) -> bool:
        """Raises JobTooLarge where the store never takes so large a result; the claim is as it was."""
        ...

    async def fail(self, claim: Claim, error: str, *, again: bool, counted: bool = True) -> bool:
        """
        For good, as a dead letter; `again`: only if no attempt is left, else it is queued anew after its backoff.

        An attempt that is not `counted` leaves as many as there were before it, and so with `again` it is never the
        last one.
        """
        ...

    async def release(self, claim: Claim) -> bool:
        """Its consumer is stopped: the job is queued anew, before those that wait, and the attempt does not count."""
        ...

    async def counts(self) -> Counts: ...

    async def sweep(self) -> int:
        """Forget what ended `result_seconds` ago or more; how many jobs that were. For the consumers to call."""
        ...

    async def dead(self, most: int) -> list[Job]:
        """Those that failed, the newest first."""
        ...

    async def replay(self, job_id: str) -> bool:
        """A failed job is queued anew with all its attempts, even if the queue is full; False where it is none."""
        ...

    async def close(self) -> None: ...
