"""What is done for a job, beside what its synchronous twin answers."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from app.api.native_background import ROWS_A_PART, BatchWork
from app.errors import InferenceFailed, ModelNotReady, RefusedByModel, UnknownModel
from app.execution import Executor, Inline, Threads
from app.input_schema import TextInput
from app.jobs.base import Claim
from app.jobs.work import Progress, Unworkable
from app.model_store import ModelStore
from app.runtimes.base import Runtime
from app.serving_parts import make_content_filter, warm
from app.settings import Settings
from tests.api.test_native import TABLE, Fake
from tests.conftest import MakeClient
from tests.consumer.queues import order

SETTINGS = Settings(FORKCAST_CONTENT_FILTER="all", FORKCAST_MAX_ROWS=10_000)  # type: ignore[call-arg]


async def work_on(
    runtime: Any,
    body: bytes,
    progress: Progress,
    executor: Executor | None = None,
    most_result_bytes: int = 2**28,
    **given: Any,
) -> bytes:
    """With one model, warmed up."""
    models = ModelStore() if runtime is None else ModelStore.of(runtime)
    part = warm(SETTINGS, models, executor or Threads(1), make_content_filter(SETTINGS))
    model = {} if runtime is None else {"model": runtime.metadata.name}
    work = BatchWork(part, most_result_bytes=most_result_bytes)
    return await work(Claim("the-job", order(body, **{**model, **given}), 1, 1), progress)


def done(runtime: Any, document: Any, **given: Any) -> bytes:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return asyncio.run(work_on(runtime, body, Progress(), **given))


def twin(client_of: MakeClient, runtime: Any, document: Any) -> Any:
    client = client_of(runtime, content_filter="all", max_rows=10_000, max_body_bytes=2**24)
    content = document if isinstance(document, bytes) else orjson.dumps(document)
    return client.post("/predict_batch", content=content, headers={"x-request-id": "the-job"})


MANY = [f"text {number}" for number in range(2 * ROWS_A_PART + 500)]


@pytest.mark.parametrize(
    ("runtime", "document"),
    [
        (Fake(TextInput()), {"texts": ["x"]}),
        (Fake(TextInput()), {"texts": ["x"], "output": "predict", "entity_id": "customer-1"}),
        (Fake(TextInput()), {"texts": MANY}),
        (Fake(TABLE, regression=True), {"instances": [{"age": 1, "city": "Rome"}, [2, "Oslo"]]}),
    ],
    ids=["one", "an output", "several parts", "a table"],
)
def test_the_result_is_byte_for_byte_what_the_twin_answers(client_of: MakeClient, runtime: Fake, document: Any) -> None:
    assert done(runtime, document) == twin(client_of, runtime, document).content


def test_a_real_model_answers_alike(client_of: MakeClient, text_runtime: Runtime) -> None:
    document = {"texts": ["a warm and funny film", "dull"]}

    assert done(text_runtime, document) == twin(client_of, text_runtime, document).content


WRONG: dict[str, Any] = {
    "no JSON": b'{"texts": ',
    "an empty body": b"",
    "a list": ["x"],
    "another field": {"text": "x"},
    "a row far behind": {"texts": [*MANY, 7]},
    "too many rows": {"texts": MANY * 3},
    "no rows": {"texts": []},
    "another output": {"texts": ["x"], "output": "nothing"},
    "a text that is refused": {"texts": [*MANY, "I hate this"]},
}


@pytest.mark.parametrize("case", WRONG)
def test_what_the_twin_refuses_is_unworkable_in_its_words(client_of: MakeClient, case: str) -> None:
    with pytest.raises(Unworkable) as refusal:
        done(Fake(TextInput()), WRONG[case])

    answer = twin(client_of, Fake(TextInput()), WRONG[case])
    assert 400 <= answer.status_code < 500
    assert str(refusal.value) == answer.json()["detail"]


def test_values_that_the_model_refuses_are_unworkable(client_of: MakeClient) -> None:
    class Refusing(Fake):
        def predict(self, instances: Any) -> Any:
            if "refused" in instances:
                raise RefusedByModel
            return super().predict(instances)

    with pytest.raises(Unworkable, match=r"^The model cannot predict these values$"):
        done(Refusing(TextInput()), {"texts": ["x", "refused"]})


def test_a_model_or_version_that_is_not_known_is_worth_another_attempt() -> None:
    """Who enqueued may know it from a reload, by which this process is about to be replaced."""
    fake = Fake(TextInput())

    with pytest.raises(UnknownModel, match="no such model"):
        done(fake, {"texts": ["x"]}, model="another")
    with pytest.raises(UnknownModel, match="no such version"):
        done(fake, {"texts": ["x"]}, version="6")
    with pytest.raises(ModelNotReady):
        done(None, {"texts": ["x"]})
    assert b'"version":"7"' in done(fake, {"texts": ["x"]}, version="7")


@pytest.mark.parametrize("error", [ZeroDivisionError("SECRET"), SystemExit("SECRET"), asyncio.CancelledError("SECRET")])
def test_a_model_that_fails_is_worth_another_attempt(error: Any) -> None:
    fake = Fake(TextInput())

    async def main() -> None:
        part = warm(SETTINGS, ModelStore.of(fake), Threads(1), make_content_filter(SETTINGS))
        fake.error = error
        await BatchWork(part, most_result_bytes=2**28)(
            Claim("one", order(b'{"texts": ["x", "y"]}', model="fake"), 1, 1), Progress()
        )

    with pytest.raises(InferenceFailed, match=r"^The model failed to predict$"):
        asyncio.run(main())


def test_a_result_beyond_its_limit_is_unworkable_and_not_predicted_to_its_end() -> None:
    fake, progress = Fake(TextInput()), Progress()
    size = len(done(fake, {"texts": MANY}))

    assert len(done(fake, {"texts": MANY}, most_result_bytes=size)) == size
    for most, predicted in ((size - 1, len(MANY)), (1_000, 0)):
        with pytest.raises(Unworkable, match=rf"^The result is larger than {most} bytes: FORKCAST_JOBS_MAX_RESULT_"):
            asyncio.run(work_on(fake, orjson.dumps({"texts": MANY}), progress, most_result_bytes=most))
        assert progress.done == predicted


@pytest.mark.parametrize("execution", [lambda: Threads(1), Inline], ids=["threads", "inline"])
def test_the_progress_rises_and_the_loop_turns_after_each_part(execution: Callable[[], Executor]) -> None:
    """Also where no predict is waited for."""

    async def main() -> list[tuple[int, int]]:
        progress, seen = Progress(), []
        work = asyncio.create_task(work_on(Fake(TextInput()), orjson.dumps({"texts": MANY}), progress, execution()))
        while not work.done():
            seen.append((progress.done, progress.total))
            await asyncio.sleep(0)
        await work
        return [*seen, (progress.done, progress.total)]

    seen = asyncio.run(main())

    total = len(MANY)
    parts = [ROWS_A_PART, 2 * ROWS_A_PART, total]
    assert [each for each in dict.fromkeys(seen) if each[0]] == [(done, total) for done in parts]
