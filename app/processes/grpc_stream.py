"""One unary call on its connection, while it comes and until its answer is away."""

import asyncio
import math

from app.grpc_calls import Code, Refused

LEFT = Refused(Code.CANCELLED, "The client has left")


class Stream:
    """
    `whole` is done once the message has come, or with the reason why it is waited for no more; `gone` once the answer
    is away, or nobody wants it.

    `late_at`, in seconds of the loop's clock, is when what the client owes here is late: its message, or the reading of
    its answer.
    """

    __slots__ = ("body", "ended", "gone", "late_at", "number", "whole")

    def __init__(self, number: int, late_at: float, loop: asyncio.AbstractEventLoop) -> None:
        self.number = number
        self.body = bytearray()
        self.ended = False
        self.late_at = late_at
        self.gone: asyncio.Future[None] = loop.create_future()
        self.whole: asyncio.Future[Refused | None] = loop.create_future()

    def arrived(self, refused: Refused | None = None) -> None:
        """Nothing more is kept of what still comes."""
        self.late_at = math.inf
        if not self.whole.done():
            self.whole.set_result(refused)

    def leave(self) -> None:
        """Its connection knows it no more."""
        self.arrived(LEFT)
        if not self.gone.done():
            self.gone.set_result(None)

    def taken(self) -> bytearray:
        body, self.body = self.body, bytearray()
        return body
