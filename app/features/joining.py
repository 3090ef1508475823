"""Instances completed from the feature store: what is missing in a request, and what becomes of what cannot be had."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import structlog

from app.caller import Caller
from app.errors import BadInput, DeadlineExceeded, FeaturesUnavailable, ForkcastError, Problem, UnknownEntity
from app.features import measures
from app.features.base import Columns, Stored
from app.features.gathered import Gathered
from app.features.shapes import Shape
from app.input_schema import Where

log = structlog.stdlib.get_logger("forkcast")
NOBODY: frozenset[int] = frozenset()
Reason = Literal["unknown", "unavailable"]
MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Joined:
    """Instances in their JSON form; those in `defaulted` have features that are defaults, not the entity's own."""

    instances: Sequence[Any]
    defaulted: Collection[int] = NOBODY


@dataclass(frozen=True, slots=True)
class Entities:
    """Whose features instances lack: an id or none for each, and the name of the caller's field that has each."""

    ids: Sequence[str | None]
    at: Where

    def part(self, start: int, stop: int) -> "Entities":
        """Those of the instances `start` to `stop` (exclusive)."""
        return Entities(self.ids[start:stop], lambda index: self.at(start + index))


@dataclass(frozen=True, slots=True)
class Wanted:
    """The columns that one instance lacks, and the entity whose they are, which the caller names in `field`."""

    index: int
    entity_id: str
    field: str
    missing: Columns


class Features(Protocol):
    """
    `joined` completes instances by the entities that they are of, None for one that is of none.

    Raises BadInput for what is wrong in the instances so far, UnknownEntity, FeaturesUnavailable or DeadlineExceeded.
    """

    async def joined(self, instances: Sequence[Any], entities: Entities, at: Where, caller: Caller) -> Joined: ...

    async def are_whole(self, instances: Sequence[Any], entities: Entities, at: Where) -> bool:
        """Whether they need nothing from a store; raises BadInput for what is wrong in those that do."""
        ...


class NoFeatures:
    """Without a store an entity's id changes nothing."""

    async def joined(self, instances: Sequence[Any], entities: Entities, at: Where, caller: Caller) -> Joined:
        return Joined(instances)

    async def are_whole(self, instances: Sequence[Any], entities: Entities, at: Where) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Policy:
    """What to do for an entity that the store does not know, and where it does not answer; `defaults` by column."""

    timeout_seconds: float
    on_unknown: Literal["refuse", "default"]
    on_failure: Literal["refuse", "default"]
    defaults: Mapping[str, Any]


class StoredFeatures:
    """Those of one model, in one worker."""

    def __init__(self, shape: Shape, gathered: Gathered, policy: Policy, may_have: Callable[[str], bool]) -> None:
        self._shape = shape
        self._gathered = gathered
        self._may_have = may_have
        self._policy = policy
        # Each reason why a stored value was refused is logged once; there are some for each column.
        self._told: set[str] = set()

    async def joined(self, instances: Sequence[Any], entities: Entities, at: Where, caller: Caller) -> Joined:
        wanted = await self._wanted(instances, entities, at)
        if not wanted:
            return Joined(instances)
        try:
            stored = await self._stored(wanted, caller)
        except FeaturesUnavailable as refusal:
            rows = [self._default(each, {}, "unavailable", refusal) for each in wanted]
            measures.DEFAULTS.labels("unavailable").inc(len(rows))
            return Joined(self._complete(instances, wanted, rows), {each.index for each in wanted})
        return await self._filled(instances, wanted, stored)

    async def are_whole(self, instances: Sequence[Any], entities: Entities, at: Where) -> bool:
        return not await self._wanted(instances, entities, at)

    async def _wanted(self, instances: Sequence[Any], entities: Entities, at: Where) -> list[Wanted]:
        """What is given is checked first: a request that is wrong anyway asks for nothing."""
        wanted: list[Wanted] = []
        problems: list[Problem] = []
        for index, (instance, entity_id) in enumerate(zip(instances, entities.ids, strict=True)):
            if entity_id is None or not (missing := self._shape.missing(instance)):
                continue
            problems += self._shape.problems(instance, at(index))
            if len(problems) >= BadInput.MOST_PROBLEMS:
                break
            wanted.append(Wanted(index, entity_id, entities.at(index), missing))
            await _let_others(len(wanted))
        if problems:
            raise BadInput(problems)
        return wanted

    async def _stored(self, wanted: Sequence[Wanted], caller: Caller) -> Mapping[str, Stored]:
        now = time.monotonic()
        seconds = min(self._policy.timeout_seconds, caller.deadline - now)
        entity_ids = [each for each in dict.fromkeys(each.entity_id for each in wanted) if self._may_have(each)]
        if not entity_ids:
            return {}
        try:
            return await self._gathered.fetch(entity_ids, asyncio.get_running_loop().time() + seconds)
        except FeaturesUnavailable:
            if time.monotonic() >= caller.deadline:
                raise DeadlineExceeded from None
            raise

    async def _filled(self, instances: Sequence[Any], wanted: Sequence[Wanted], stored: Mapping[str, Stored]) -> Joined:
        unknown = [each.field for each in wanted if each.entity_id not in stored]
        if unknown and self._policy.on_unknown == "refuse":
            raise UnknownEntity(unknown[: BadInput.MOST_PROBLEMS])
        rows: list[Stored] = []
        defaulted: dict[int, Reason] = {}
        for each in wanted:
            values: Stored | None = self._values(each, stored.get(each.entity_id, {}))
            if values is None:
                values = self._default(each, {}, "unavailable", FeaturesUnavailable())
                defaulted[each.index] = "unavailable"
            elif self._policy.on_unknown == "default" and not self._is_whole(each, values):
                values = self._default(each, values, "unknown", UnknownEntity([each.field]))
                defaulted[each.index] = "unknown"
            rows.append(values)
            await _let_others(len(rows))
        for reason, number in Counter(defaulted.values()).items():
            measures.DEFAULTS.labels(reason).inc(number)
        return Joined(self._complete(instances, wanted, rows), defaulted)

    def _complete(self, instances: Sequence[Any], wanted: Sequence[Wanted], rows: Sequence[Stored]) -> list[Any]:
        complete = list(instances)
        for each, values in zip(wanted, rows, strict=True):
            complete[each.index] = self._shape.filled(instances[each.index], self._with_nulls(each, values))
        return complete

    def _with_nulls(self, each: Wanted, values: Stored) -> Stored:
        """What is nowhere is null where the column takes that; else the model's own check names it as missing."""
        nulls = {name: None for name in each.missing if name not in values and self._shape.is_nullable(name)}
        return {**nulls, **values}

    def _values(self, each: Wanted, row: Stored) -> dict[str, Any] | None:
        """What is missing and stored; None where the model cannot take it."""
        try:
            values = {name: self._shape.value(name, row.get(name)) for name in each.missing}
        except ValueError as error:
            measures.WRONG.inc()
            if (reason := str(error)) not in self._told:
                self._told.add(reason)
                log.warning("stored feature refused", reason=reason)
            return None
        return {name: value for name, value in values.items() if value is not None}

    def _is_whole(self, each: Wanted, values: Stored) -> bool:
        return all(name in values or self._shape.may_lack(name) for name in each.missing)

    def _default(self, each: Wanted, values: Stored, reason: Reason, refusal: ForkcastError) -> Stored:
        """The values, with defaults of what they lack; raises the refusal where that is not wanted or not enough."""
        defaults = {name: self._policy.defaults[name] for name in each.missing if name in self._policy.defaults}
        allowed = self._policy.on_unknown if reason == "unknown" else self._policy.on_failure
        whole = {**defaults, **values}
        if allowed == "refuse" or not self._is_whole(each, whole):
            raise refusal
        return whole


async def _let_others(done: int) -> None:
    """Every so many instances the event loop goes on with what else there is."""
    if done % MOST_AT_ONCE == 0:
        await asyncio.sleep(0)
