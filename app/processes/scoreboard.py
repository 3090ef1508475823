"""
What each process of a server does right now, in memory that all of them share.

The mapping is made before the fork. A slot has one writer: the arbiter until the fork and after the end, its worker
in between. Every field is one aligned word, so that a reader sees the old value or the new one, never half of each.
"""

import mmap
from dataclasses import dataclass
from enum import IntEnum

# Twice the most workers that the settings allow, with one for ops and one for jobs: a HUP overlaps two generations.
CAPACITY = 2 * (1024 + 2)
WORD = 8
SLOT_WORDS = 16
HEADER_WORDS = 16
VERSION_BYTES = 32


class Role(IntEnum):
    """What a worker is for."""

    SERVE = 0
    OPS = 1
    CONSUME = 2


class State(IntEnum):
    """Where a worker is in its life."""

    FREE = 0
    BOOTING = 1
    READY = 2
    DRAINING = 3


def _word(index: int) -> property:
    """A whole number in the word `index` of a block."""

    def read(self: "Block") -> int:
        return self._whole[self._start + index]

    def write(self: "Block", value: int) -> None:
        self._whole[self._start + index] = value

    return property(read, write)


def _instant(index: int) -> property:
    """Seconds of the monotonic clock in the word `index` of a block; 0 for never."""

    def read(self: "Block") -> float:
        return self._real[self._start + index]

    def write(self: "Block", value: float) -> None:
        self._real[self._start + index] = value

    return property(read, write)


class Block:
    """Some words of the mapping, from `start` on."""

    __slots__ = ("_real", "_start", "_whole")

    def __init__(self, memory: memoryview, start: int) -> None:
        self._whole = memory.cast("q")
        self._real = memory.cast("d")
        self._start = start


class Header(Block):
    """What holds for the whole server; written by the arbiter."""

    __slots__ = ()

    generation = _word(0)
    """Counts the reloads; each worker has that of its fork."""
    wanted = _word(1)
    """Serving workers that there should be."""
    used = _word(2)
    """All slots from here on have never been taken."""
    serve_restarts = _word(3)
    ops_restarts = _word(4)
    reloads_succeeded = _word(5)
    reloads_refused = _word(6)
    arbiter = _word(7)
    """Its pid."""
    last_refusal = _word(8)
    """Why the last reload was refused, an `app.errors.Refusal`; 0 if it was not."""
    boot_seconds = _word(9)
    """How long workers that were forked last may take to boot: those that they replace go on meanwhile."""
    control_seen = _word(10)
    """The newest revision of the model control that a reload has acted upon, whether it was refused or not."""
    consumers = _word(11)
    """Workers for background jobs that there should be: one, or none."""
    consume_restarts = _word(12)

    def wanted_in(self, role: Role) -> int:
        """Workers that there should be in that role."""
        wanted: dict[Role, int] = {Role.SERVE: self.wanted, Role.OPS: 1, Role.CONSUME: self.consumers}
        return wanted[role]

    def restarts(self) -> dict[str, int]:
        """Of each role, by its name."""
        counted = {Role.SERVE: self.serve_restarts, Role.OPS: self.ops_restarts, Role.CONSUME: self.consume_restarts}
        return {role.name.lower(): number for role, number in counted.items()}


class Place(Block):
    """One slot, as its worker writes it."""

    __slots__ = ("slot",)

    def __init__(self, memory: memoryview, slot: int) -> None:
        super().__init__(memory, HEADER_WORDS + slot * SLOT_WORDS)
        self.slot = slot

    pid = _word(0)
    role = _word(1)
    generation = _word(2)
    state = _word(3)
    connections = _word(4)
    """All that are open."""
    engaged = _word(5)
    """Those of them that have lately sent or been sent something: what the balance counts."""
    in_flight = _word(6)
    """Requests that are not answered yet."""
    requests = _word(7)
    """Requests answered since the fork."""
    full = _word(8)
    """1 while the next request would be refused."""
    beat = _instant(9)
    """The last heartbeat."""
    predicting_since = _instant(10)
    """When the oldest predict that still runs began."""
    looked = _instant(11)
    """When the worker last looked whether a connection waits."""
    _version_word = 12

    @property
    def version(self) -> str:
        """The model's version; empty without one."""
        start = (self._start + self._version_word) * WORD
        return bytes(self._bytes[start : start + VERSION_BYTES]).rstrip(b"\0").decode(errors="replace")

    @version.setter
    def version(self, version: str) -> None:
        start = (self._start + self._version_word) * WORD
        self._bytes[start : start + VERSION_BYTES] = version.encode()[:VERSION_BYTES].ljust(VERSION_BYTES, b"\0")

    @property
    def _bytes(self) -> memoryview:
        return self._whole.cast("B")


@dataclass(frozen=True, slots=True)
class Worker:
    """A copy of one slot, for who only reads; the fields are those of `Place`."""

    slot: int
    pid: int
    role: Role
    generation: int
    state: State
    connections: int
    engaged: int
    in_flight: int
    requests: int
    beat: float
    predicting_since: float
    version: str


class Scoreboard:
    """The shared mapping: a header, then the slots."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        # Anonymous and shared: pages that no slot in use touches cost nothing.
        self._memory = memoryview(mmap.mmap(-1, (HEADER_WORDS + capacity * SLOT_WORDS) * WORD))
        self._capacity = capacity
        self.header = Header(self._memory, 0)

    def take(self, role: Role, version: str) -> Place:
        """For the arbiter: the lowest free slot, for a worker that is about to be forked."""
        slot = next(slot for slot in range(self._capacity) if self.place(slot).state == State.FREE)
        place = self.place(slot)
        self._clear(slot)
        place.role, place.generation, place.version = role, self.header.generation, version
        place.state = State.BOOTING
        self.header.used = max(self.header.used, slot + 1)
        return place

    def free(self, slot: int) -> None:
        """For the arbiter: the worker in `slot` has ended."""
        self._clear(slot)

    def place(self, slot: int) -> Place:
        return Place(self._memory, slot)

    def workers(self) -> list[Worker]:
        """All that live or boot, by slot."""
        copies = [_copy(self.place(slot)) for slot in range(self.header.used)]
        return [worker for worker in copies if worker.state is not State.FREE]

    def count(self, role: Role) -> int:
        """The workers of the present generation in that role, booting ones among them."""
        generation = self.header.generation
        return sum(worker.role is role and worker.generation == generation for worker in self.workers())

    def _clear(self, slot: int) -> None:
        start = (HEADER_WORDS + slot * SLOT_WORDS) * WORD
        self._memory[start : start + SLOT_WORDS * WORD] = bytes(SLOT_WORDS * WORD)


def _copy(place: Place) -> Worker:
    # Read before the heartbeat, which is written before it.
    predicting_since = place.predicting_since
    return Worker(
        slot=place.slot,
        pid=place.pid,
        role=Role(place.role),
        generation=place.generation,
        state=State(place.state),
        connections=place.connections,
        engaged=place.engaged,
        in_flight=place.in_flight,
        requests=place.requests,
        beat=place.beat,
        predicting_since=predicting_since,
        version=place.version,
    )
