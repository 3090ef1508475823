"""Fetches of one turn of the loop, and those that wait for a connection, are one query."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from app.errors import FeaturesUnavailable
from app.features.base import Columns, Stored
from app.features.gathered import MOST_ENTITIES, Gathered
from tests.waiting import until


class Held:
    """Answers each query once it is let go."""

    def __init__(self) -> None:
        self.queries: list[list[str]] = []
        self.let_go = asyncio.Semaphore(0)
        self.error: Exception | None = None

    async def fetch(self, entity_ids: Sequence[str], columns: Columns) -> Mapping[str, Stored]:
        self.queries.append(list(entity_ids))
        await self.let_go.acquire()
        if self.error is not None:
            raise self.error
        return {each: {"age": each} for each in entity_ids}


class Party:
    """Those who ask one store."""

    def __init__(self, most_at_once: int = 2) -> None:
        self.held = Held()
        self.gathered = Gathered(self.held.fetch, ("age",), most_at_once)
        self.asking: list[asyncio.Task[Any]] = []

    def ask(self, *entity_ids: str, seconds: float = 60.0) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        self.asking.append(asyncio.ensure_future(self.gathered.fetch(entity_ids, deadline)))

    async def sent(self, queries: int) -> None:
        await until(lambda: len(self.held.queries) == queries)

    async def answers(self) -> list[Any]:
        for _ in range(100):
            self.held.let_go.release()
        return await asyncio.gather(*self.asking, return_exceptions=True)


def run(main: Any) -> Any:
    return asyncio.run(main())


def test_all_who_ask_in_one_turn_share_a_query_with_each_entity_once() -> None:
    async def main() -> None:
        party = Party()
        for entity_ids in (["a"], ["b", "c"], ["a"], ["c", "d"]):
            party.ask(*entity_ids)
        await party.sent(1)

        answers = await party.answers()

        assert party.held.queries == [["a", "b", "c", "d"]]
        assert all(answer.items() >= {"a": {"age": "a"}}.items() for answer in answers)

    run(main)


def test_beyond_the_connections_all_wait_for_the_next_query_together() -> None:
    async def main() -> None:
        party = Party(most_at_once=2)
        for number in range(6):
            party.ask(str(number))
            await party.sent(min(number + 1, 2))

        party.held.let_go.release()
        await party.sent(3)

        assert party.held.queries == [["0"], ["1"], ["2", "3", "4", "5"]]
        assert [set(answer) for answer in await party.answers()] == [{"0"}, {"1"}, *[{"2", "3", "4", "5"}] * 4]

    run(main)


def test_no_query_is_larger_than_the_largest_and_a_request_may_need_several() -> None:
    async def main() -> None:
        party = Party(most_at_once=10)
        party.ask("a")
        party.ask(*map(str, range(2 * MOST_ENTITIES + 1)))
        party.ask("b")
        await party.sent(4)

        answers = await party.answers()

        assert [len(query) for query in party.held.queries] == [1, MOST_ENTITIES, MOST_ENTITIES, 2]
        assert answers[1].keys() >= set(map(str, range(2 * MOST_ENTITIES + 1)))
        assert set(answers[2]) >= {"b"}

    run(main)


def test_who_cannot_wait_is_refused_and_the_others_are_answered() -> None:
    async def main() -> None:
        party = Party()
        party.ask("a", seconds=0.02)
        party.ask("b")
        await until(lambda: party.asking[0].done())

        late, answered = await party.answers()

        assert isinstance(late, FeaturesUnavailable)
        assert set(answered) == {"a", "b"}

    run(main)


def test_who_leaves_does_not_take_the_query_along() -> None:
    async def main() -> None:
        party = Party()
        party.ask("a")
        party.ask("b")
        await party.sent(1)
        party.asking[0].cancel()

        left, answered = await party.answers()

        assert isinstance(left, asyncio.CancelledError)
        assert set(answered) == {"a", "b"}

    run(main)


def test_a_query_that_fails_fails_for_all_of_it_and_for_nobody_else() -> None:
    async def main() -> None:
        party = Party(most_at_once=1)
        party.ask("a")
        party.ask("b")
        await party.sent(1)
        party.ask("c")
        party.held.error = FeaturesUnavailable()
        party.held.let_go.release()
        await party.sent(2)
        party.held.error = None

        *failed, answered = await party.answers()

        assert [type(each) for each in failed] == [FeaturesUnavailable] * 2
        assert set(answered) == {"c"}

    run(main)


@pytest.mark.parametrize("error", [RuntimeError("a bug"), asyncio.CancelledError()], ids=["fault", "cancelled"])
def test_after_a_query_that_ends_in_a_fault_the_next_is_sent(error: Any) -> None:
    async def main() -> None:
        party = Party(most_at_once=1)
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        party.ask("a")
        await party.sent(1)
        party.held.error = error
        party.held.let_go.release()
        await until(lambda: party.asking[0].done())
        party.held.error = None
        party.ask("b")
        await party.sent(2)

        assert set((await party.answers())[1]) == {"b"}

    run(main)
