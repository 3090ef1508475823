"""The calls of one gRPC connection, each in a task of its own, from its headers until its answer is away."""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial

import structlog

from app.caller import Caller
from app.grpc_calls import Call, Code, Refused, Service
from app.problem_document import request_id_of
from app.processes.desk import Desk
from app.processes.grpc_answers import Answers, unique
from app.processes.grpc_messages import message_of
from app.processes.grpc_stream import Stream

log = structlog.stdlib.get_logger("forkcast")
FAULT = Refused(Code.INTERNAL, "The server failed")


class Calls:
    def __init__(self, desk: Desk, answers: Answers, *, service: Service, flush: Callable[[], None]) -> None:
        self._desk = desk
        self._answers = answers
        self._service = service
        self._flush = flush
        self._loop = asyncio.get_running_loop()

    def begin(self, stream: Stream, headers: Mapping[bytes, bytes]) -> None:
        task = self._loop.create_task(self._serve(stream, headers))
        # The loop by itself would not keep it.
        self._desk.tasks.add(task)
        task.add_done_callback(self._desk.tasks.discard)

    async def _serve(self, stream: Stream, headers: Mapping[bytes, bytes]) -> None:
        ends: list[Callable[[], None]] = []
        call = Call(
            path=headers.get(b":path", b"").decode("latin-1"),
            headers=headers,
            request_id=request_id_of(headers),
            arrived=time.monotonic(),
            caller=Caller(has_left=stream.gone.done),
            message=partial(self._message, stream, headers.get(b"grpc-encoding", b"identity")),
            at_end=ends.append,
        )
        try:
            answer = await self._answer(call)
            if not stream.gone.done():
                self._send(stream, call, answer)
            await stream.gone
        finally:
            for end in ends:
                end()

    async def _answer(self, call: Call) -> bytes | Refused:
        try:
            return await self._service(call)
        except Exception as error:
            log.error("call failed", request_id=call.request_id, exc_info=error)
            return FAULT

    def _send(self, stream: Stream, call: Call, answer: bytes | Refused) -> None:
        named = [unique(b"x-request-id", call.request_id.encode())]
        if self._desk.limits.worker_header:
            named.append((b"x-worker", b"%d" % self._desk.place.slot))
        stream.arrived()
        stream.late_at = self._loop.time() + self._desk.limits.request_seconds
        if isinstance(answer, Refused):
            self._answers.refuse(stream.number, named, answer, ended=stream.ended)
        else:
            self._answers.answer(stream.number, named, answer, ended=stream.ended)
        self._flush()

    async def _message(self, stream: Stream, encoding: bytes) -> bytes | Refused:
        refused = await stream.whole
        return refused or message_of(stream.taken(), encoding, self._desk.limits.message_bytes)
