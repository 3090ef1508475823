"""One process's feature store, and what each model has of it."""

import contextlib
from typing import Protocol

from app.errors import FeaturesUnavailable
from app.features.base import FeatureStore
from app.features.gathered import Gathered
from app.features.joining import Features, NoFeatures, Policy, StoredFeatures
from app.features.shapes import shape_of
from app.input_schema import InputSchema

# Asked for once before any traffic, so that the first request does not wait for a connection; whether there is one of
# this name is of no interest. A text, a number, or a UUID.
NOBODYS_IDS = ("0", "00000000-0000-0000-0000-000000000000")


class Provision(Protocol):
    """Made before the fork; `open` is called after it, before any request, and `close` after the last."""

    def of_model(self, inputs: InputSchema) -> Features: ...

    async def open(self, inputs: InputSchema) -> None: ...

    async def close(self) -> None: ...


class StoredProvision:
    """Joins requests to all models with one store, which is guarded: it answers, or raises FeaturesUnavailable."""

    def __init__(self, store: FeatureStore, policy: Policy, connections: int) -> None:
        self._store = store
        self._policy = policy
        self._connections = connections

    def of_model(self, inputs: InputSchema) -> Features:
        shape = shape_of(inputs)
        gathered = Gathered(self._store.fetch, shape.columns, self._connections)
        return StoredFeatures(shape, gathered, self._policy, self._store.may_have)

    async def open(self, inputs: InputSchema) -> None:
        """Find out whether the store answers: the log says so if it does not, and the start goes on."""
        with contextlib.suppress(FeaturesUnavailable):
            await self._store.fetch(list(filter(self._store.may_have, NOBODYS_IDS))[:1], shape_of(inputs).columns)

    async def close(self) -> None:
        await self._store.close()


class NoProvision:
    """Without a store."""

    def of_model(self, inputs: InputSchema) -> Features:
        return NoFeatures()

    async def open(self, inputs: InputSchema) -> None:
        """There is nothing to open."""

    async def close(self) -> None:
        """Holds nothing."""
