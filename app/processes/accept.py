"""
Which worker takes a connection that waits on the listener that all of them share.

Left to the kernel, one worker gets most of a burst, and kept-alive connections stay where they came. Here a worker
takes its fair share of what waits, by what all workers hold, and leaves the rest to the others for a moment.
"""

import asyncio
import errno
import math
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from app.processes.scoreboard import Place, Role, Scoreboard, State

# How long a connection is left to a worker that holds less and does not look at the queue, and how long by a worker
# that has nothing else to do; from then on that worker is left out of the sharing, until it looks again.
PATIENCE_SECONDS = 0.08
IDLE_PATIENCE_SECONDS = 0.02
STEP_SECONDS = 0.001
# A worker that holds so many more connections than another, engaged ones and all, sends one away, and one at a time.
UNEVEN = 2
SEND_AWAY_SECONDS = 0.02
# After the process has run out of descriptors; it is then no use to try at every turn of the loop.
EXHAUSTED_SECONDS = 0.1
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
# Where tcp_info of a listening socket has the number of connections that wait (linux/tcp.h: tcpi_unacked).
WAITING_OFFSET = 24


Attach = Callable[[socket.socket], None]


class Listener(Protocol):
    """A listening socket, or Gunicorn's wrapper around one."""

    def fileno(self) -> int: ...

    def accept(self) -> tuple[socket.socket, object]: ...

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes: ...


def fill_level(held: Sequence[int], waiting: int) -> int:
    """
    The highest level up to which all who hold less can be filled with `waiting` more.

    >>> fill_level([0, 1, 1, 2], 5)
    2
    >>> fill_level([0, 0, 5], 9)
    4
    """
    ordered = sorted(held)
    total = 0
    for count, each in enumerate(ordered, 1):
        total += each
        level = (total + waiting) // count
        if count == len(ordered) or level <= ordered[count]:
            return level
    return waiting


class Peers:
    """The other serving workers, as the scoreboard shows them."""

    def __init__(self, scoreboard: Scoreboard, own: Place) -> None:
        self._scoreboard = scoreboard
        self._own = own.slot
        self._places: list[Place] = []

    def taking(self) -> list[Place]:
        """Those who could take a connection: warm, not about to leave, not full."""
        used = self._scoreboard.header.used
        while len(self._places) < used:
            self._places.append(self._scoreboard.place(len(self._places)))
        return [
            place
            for place in self._places
            if place.state == State.READY and place.role == Role.SERVE and not place.full and place.slot != self._own
        ]


class BalancedAccept:
    """
    Takes connections from the listeners while this worker holds less than its fair share.

    The share is the level up to which all workers can be filled with what waits, so that a burst is divided at once,
    without waiting for anybody. What is counted are engaged connections: idle ones cost nothing. Each listener has what
    takes its connections.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listeners: Mapping[Listener, Attach],
        place: Place,
        peers: Peers,
    ) -> None:
        self._loop = loop
        self._listeners = listeners
        self._place = place
        self._peers = peers
        self._running = False
        self._watching = False
        self._exhausted = False
        self._may_send_away_at = 0.0
        self._next_look: asyncio.TimerHandle | None = None
        # Since when something has waited that was left to others, and who did not come for it: slot to last look.
        self._waiting_since = 0.0
        self._left_out: dict[int, float] = {}

    def start(self) -> None:
        self._running = True
        self._watch()

    def stop(self) -> None:
        self._running = False
        self._unwatch()

    def poll(self) -> None:
        """Look once more, between two predicts of one turn of the loop: the loop itself looks once a turn."""
        if time.monotonic() - self._place.looked > STEP_SECONDS:
            self._look()

    def sends_away(self, leaving: int) -> bool:
        """
        Whether the connection that asks is one too many here, beside those that are `leaving` already.

        Its client is told to close it, comes again and finds the worker that holds less: else a worker that replaces a
        killed one would get nothing from clients that keep their connections.
        """
        now = time.monotonic()
        if now < self._may_send_away_at:
            return False
        self._may_send_away_at = now + SEND_AWAY_SECONDS
        least = min(self._sharing(now), key=lambda peer: peer.engaged, default=None)
        if least is None or self._place.connections - leaving - least.connections < UNEVEN:
            return False
        engaged = self._place.engaged - leaving
        # Of many clients that ask now and then, chance alone engages more here than there.
        return bool(engaged - least.engaged >= max(UNEVEN, math.isqrt(max(0, engaged))))

    def take_all(self) -> None:
        """Everything that waits, whoever's it is."""
        for listener in self._listeners:
            while self._take(listener):
                pass

    def _look(self) -> None:
        """Take what is this worker's; where something is left, look again shortly rather than at every turn."""
        if not self._running:
            return
        now = time.monotonic()
        self._place.looked = now
        self._exhausted = False
        sharing = self._sharing(now)
        left = sum([self._left(listener, sharing) for listener in self._listeners])
        if self._exhausted:
            # Nobody is to wait for a worker that cannot take what it is left.
            self._place.looked = 0.0
            self._look_again(EXHAUSTED_SECONDS)
        elif not left:
            self._waiting_since = 0.0
            self._watch()
        else:
            self._waiting_since = self._waiting_since or now
            self._look_again(STEP_SECONDS)

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            for listener in self._listeners:
                self._loop.add_reader(listener.fileno(), self._look)

    def _unwatch(self) -> None:
        if self._watching:
            self._watching = False
            for listener in self._listeners:
                self._loop.remove_reader(listener.fileno())

    def _look_again(self, seconds: float) -> None:
        self._unwatch()
        if self._next_look is None:
            self._next_look = self._loop.call_later(seconds, self._timed_look)

    def _timed_look(self) -> None:
        self._next_look = None
        self._look()

    def _sharing(self, now: float) -> list[Place]:
        """The others who are waited for: not those who have let a connection wait for longer than the patience."""
        peers = self._peers.taking()
        if self._left_out:
            looks = self._left_out
            self._left_out = {peer.slot: peer.looked for peer in peers if looks.get(peer.slot) == peer.looked}
        patience = PATIENCE_SECONDS if self._place.in_flight else IDLE_PATIENCE_SECONDS
        if self._waiting_since and now - self._waiting_since > patience:
            late = [peer for peer in peers if peer.looked < self._waiting_since]
            self._left_out.update((peer.slot, peer.looked) for peer in late)
        return [peer for peer in peers if peer.slot not in self._left_out]

    def _left(self, listener: Listener, sharing: Sequence[Place]) -> int:
        """What is left waiting for others once this worker has taken its share."""
        waiting = waiting_on(listener)
        if self._place.full and sharing:
            return waiting
        held = [peer.engaged for peer in sharing]
        level = fill_level([self._place.engaged, *held], waiting)
        # What is left beyond the level is for whoever holds the least by then.
        level = max(level, 1 + min(held, default=level))
        while waiting and self._place.engaged < level:
            if not self._take(listener):
                return 0
            waiting -= 1
        return waiting

    def _take(self, listener: Listener) -> bool:
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError as error:
            if error.errno not in EXHAUSTED:
                raise
            self._exhausted = True
            return False
        self._listeners[listener](connection)
        return True


def waiting_on(listener: Listener) -> int:
    """The connections in the kernel's queue of a TCP listener."""
    information = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, WAITING_OFFSET + 4)
    [waiting] = struct.unpack_from("I", information, WAITING_OFFSET)
    return int(waiting)
