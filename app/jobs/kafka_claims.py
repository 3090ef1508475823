"""The jobs that one process has claimed, until what became of them is told."""

import asyncio
import itertools
import time
from dataclasses import dataclass, field, replace

from confluent_kafka import Message

from app.jobs.base import Claim, Order, Status, Terms
from app.jobs.kafka_connection import Connection
from app.jobs.kafka_records import NO_NONCE, Mark, Reply, Request, Unreadable, id_of, mark_of, request_of

UNREADABLE = "The headers of the request cannot be read"

# In place of what cannot be read.
NOTHING = Request(Order("predict", "", None, "", b""), NO_NONCE, 0.0)


@dataclass(slots=True)
class Running:
    """`told` is where its end was put, and `anew` where its next attempt: once, however often that is asked for."""

    message: Message
    job_id: str
    request: Request
    mark: Mark
    told: int | None = None
    anew: int | None = None
    heard_of: float = field(default_factory=time.monotonic)

    @property
    def partition(self) -> int:
        return self.message.partition() or 0

    @property
    def run(self) -> int:
        return self.message.offset() or 0

    def reply(self, status: Status, error: str | None = None) -> Reply:
        mark, created = self.mark, self.request.created or self.message.timestamp()[1] / 1000
        return Reply(
            self.job_id, status, self.run, self.request.order.owner, created, mark.attempts, mark.done,
            mark.total, mark.started, time.time(), error,
        )  # fmt: skip


class Claims:
    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._tokens = itertools.count(1)
        self._running: dict[int, Running] = {}
        self._one_at_a_time = asyncio.Lock()

    async def next(self, own: Connection) -> Claim | None:
        group = own.group
        async with self._one_at_a_time:
            await group.reader.ask(lambda consumer: group.poll(consumer, 0))
            self._forget_unheard()
            claimed = [running.message for running in self._running.values()]
            while (taken := await group.reader.ask(lambda consumer: group.take(consumer, claimed))) is not None:
                claim = await self._begin(own, *taken)
                if claim is not None:
                    return claim
            return None

    async def wait(self, own: Connection, seconds: float) -> None:
        """Until a request arrives or is due, but not so long."""
        group = own.group
        due = await group.reader.ask(lambda consumer: group.next_due())
        left = seconds if due is None else min(seconds, max(0.0, due - time.time()))
        await group.reader.ask(lambda consumer: group.poll(consumer, left))

    async def renew(self, own: Connection, claim: Claim, done: int, total: int) -> bool:
        running = await self._held(own, claim)
        if running is None:
            return False
        running.mark = Mark(running.mark.attempts, running.mark.started, done, total)
        return await own.group.reader.ask(lambda consumer: own.group.mark(consumer, running.message, running.mark))

    async def end(
        self, own: Connection, claim: Claim, status: Status, *, result: bytes | None = None, error: str | None = None
    ) -> bool:
        running = await self._held(own, claim)
        if running is None:
            return False
        if running.told is None:
            running.told = await self._tell(own, running, running.reply(status, error), result)
        await own.replies.catch_up(running.partition)
        known = own.replies.known(claim.id)
        await self._leave(own, claim.token, running)
        # Where another has told of the same run meanwhile, the first reply counts.
        return known is not None and known.offset == running.told

    async def queue_anew(self, own: Connection, claim: Claim, attempts: int) -> bool:
        running = await self._held(own, claim)
        if running is None:
            return False
        order = claim.order
        if running.anew is None:
            due = time.time() + self._terms.wait_after(claim.attempt)
            again = Request(order, running.request.nonce, running.request.created, claim.id, attempts, due)
            running.anew = await own.request(running.partition, again)
        reply = Reply(claim.id, "queued", running.anew, order.owner, running.request.created, attempts)
        await own.reply(running.partition, reply)
        await self._leave(own, claim.token, running)
        return True

    async def release(self, own: Connection, claim: Claim) -> bool:
        running = await self._held(own, claim)
        if running is None:
            return False
        group, mark = own.group, Mark(claim.attempt - 1)
        if not await group.reader.ask(lambda consumer: group.mark(consumer, running.message, mark)):
            return False
        await group.reader.ask(lambda consumer: group.put_back(running.message, mark=mark))
        del self._running[claim.token]
        return True

    def _forget_unheard(self) -> None:
        """A lease is over here, too, where the process asks for more and not for what it has."""
        now = time.monotonic()
        for token, running in list(self._running.items()):
            if now > running.heard_of + self._terms.lease_seconds:
                del self._running[token]

    async def _begin(self, own: Connection, message: Message, before: Mark | None) -> Claim | None:
        """None where there is nothing to run."""
        group, running = own.group, await self._running_of(own, message, before)
        if running.request.due > time.time():
            await group.reader.ask(lambda consumer: group.put_back(message, running.request.due, running.mark))
            return None
        await own.replies.catch_up(running.partition)
        if not own.replies.may_run(running.job_id, running.partition, running.run):
            await group.reader.ask(lambda consumer: group.done(consumer, message))
            return None
        attempts = running.mark.attempts
        if running.request is NOTHING or attempts >= self._terms.most_attempts:
            await self._refuse(own, running, UNREADABLE if running.request is NOTHING else self._terms.ran_out)
            return None
        running.mark = Mark(attempts + 1, time.time())
        if not await group.reader.ask(lambda consumer: group.mark(consumer, message, running.mark)):
            return None
        token = next(self._tokens)
        self._running[token] = running
        return Claim(running.job_id, running.request.order, attempts + 1, token)

    async def _running_of(self, own: Connection, message: Message, before: Mark | None) -> Running:
        """With what is known of the attempts before."""
        partition, run = message.partition() or 0, message.offset() or 0
        if before is None:
            # Asked by a client that is no member, who would wait for a rebalance to end.
            (place,) = await own.committed(partition)
            before = mark_of(place, run)
        try:
            request = request_of(message)
        except Unreadable:
            request = NOTHING
        job_id = request.id or id_of(partition, run, request.nonce)
        return Running(message, job_id, request, replace(before, attempts=max(request.attempts, before.attempts)))

    async def _refuse(self, own: Connection, running: Running, error: str) -> None:
        await self._tell(own, running, running.reply("failed", error))
        await own.group.reader.ask(lambda consumer: own.group.done(consumer, running.message))

    async def _tell(self, own: Connection, running: Running, reply: Reply, result: bytes | None = None) -> int:
        return await own.reply(running.partition, reply, result, running.message.key())

    async def _held(self, own: Connection, claim: Claim) -> Running | None:
        """None, from here on, where the claim is no longer the job's."""
        running, group = self._running.get(claim.token), own.group
        if running is None:
            return None
        running.heard_of = time.monotonic()
        await group.reader.ask(lambda consumer: group.poll(consumer, 0))
        await own.replies.catch_up(running.partition)
        told = running.told is not None or running.anew is not None
        if group.holds(running.message) and (told or own.replies.may_run(claim.id, running.partition, running.run)):
            return running
        await self._leave(own, claim.token, running)
        return None

    async def _leave(self, own: Connection, token: int, running: Running) -> None:
        await own.group.reader.ask(lambda consumer: own.group.done(consumer, running.message))
        self._running.pop(token, None)
