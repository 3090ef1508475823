"""The contract of a feature store, and what it raises."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Columns = tuple[str, ...]
# By the name of the column; a value is None, a bool, a number or a text.
Stored = Mapping[str, Any]


class StoreError(Exception):
    """What a store raises besides its library's own errors; its text is for the log, and holds nothing of a request."""


class WrongAnswer(StoreError):
    """The store answered what is no answer: asking again would not change that."""


class StoreRefused(StoreError):
    """The store answers, but not this: a fault in how it is asked, not in whether it can."""


class StoreBusy(StoreError):
    """The store asks for patience; `retry_seconds` is its wish, None where it names none."""

    def __init__(self, reason: str, retry_seconds: float | None = None) -> None:
        self.retry_seconds = retry_seconds
        super().__init__(reason)


class FeatureStore(Protocol):
    """
    `fetch` gives what is stored for each entity that is known, and leaves out the others; all of them are one query.

    It may give fewer columns than those asked for. A value that cannot be read stands there as something that is no
    value of a column. Whatever it raises is a failure of the store; it may be cancelled. `may_have` says whether the
    store could know an entity of this id: nobody else is asked for. Nothing is opened before the first fetch, so that
    one made before a fork may be used after it.
    """

    def may_have(self, entity_id: str) -> bool: ...

    async def fetch(self, entity_ids: Sequence[str], columns: Columns) -> Mapping[str, Stored]: ...

    async def close(self) -> None: ...
