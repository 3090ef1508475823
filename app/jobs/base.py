"""The contract of a queue of background jobs, whatever keeps them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Terms:
    """
    What a queue holds jobs to.

    A job that nobody has claimed counts against `most_queued`. A claim that is not renewed for `lease_seconds` is over,
    and the job is claimed again, `most_attempts` times in all, each `backoff_seconds` later than the one before and
    twice that later than the next. What became of a job is forgotten `result_seconds` after its end.
    """

    most_queued: int
    most_attempts: int
    lease_seconds: float
    backoff_seconds: float
    result_seconds: float


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


@dataclass(frozen=True, slots=True)
class Job:
    """
    What is known of a job; times are seconds since the epoch.

    `done` of `total` instances have been predicted in the present attempt. `result` is the body of the synchronous
    twin's answer; `error` says in words for its owner why there is none.
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
    """The right to run a job, for as long as it is renewed; `attempt`, from 1 on, is its fencing token."""

    id: str
    order: Order
    attempt: int


@dataclass(frozen=True, slots=True)
class Counts:
    """`oldest_queued_seconds` is how long the job has waited that waits for longest; 0 where none does."""

    by_status: Mapping[Status, int]
    oldest_queued_seconds: float


class JobQueue(Protocol):
    """
    At-least-once: a job that `enqueue` has answered survives any process that is killed, and the store's own restart.

    Exactly one result: what is told of a claim that is no longer the job's changes nothing, and answers False. Any
    method raises JobsUnavailable where the store cannot be reached in time; it may be called again.
    """

    async def enqueue(self, order: Order) -> Job:
        """
        Durable once it returns; a known idempotency key gives the job that it gave first.

        Raises QueueFull, and IdempotencyKeyReused where the key came with another order.
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

        A job whose last claim of `most_attempts` ran out becomes failed here, and is not claimed.
        """
        ...

    async def renew(self, claim: Claim, done: int, total: int) -> bool:
        """The lease begins again, and the progress is seen; False where the claim is no longer the job's."""
        ...

    async def succeed(self, claim: Claim, result: bytes) -> bool: ...

    async def fail(self, claim: Claim, error: str, *, again: bool) -> bool:
        """For good, as a dead letter; `again`: only if no attempt is left, else it is queued anew after its backoff."""
        ...

    async def release(self, claim: Claim) -> bool:
        """The job is queued anew at once and first of all, and the attempt does not count: its consumer is stopped."""
        ...

    async def counts(self) -> Counts: ...

    async def sweep(self) -> int:
        """Forget what ended `result_seconds` ago or more; how many jobs that were. For the consumers to call."""
        ...

    async def dead(self, most: int) -> list[Job]:
        """Those that failed, the newest first."""
        ...

    async def replay(self, job_id: str) -> bool:
        """A failed job is queued anew with all its attempts; False where there is no such job."""
        ...

    async def close(self) -> None: ...
