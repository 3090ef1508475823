"""Each setting reaches the part that it is of."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from app.errors import ModelNotReady
from app.loading import load_models
from app.model_store import ModelStore
from app.pace import Pace
from app.runtimes.base import Predictions, Runtime
from app.serving_parts import make_executor
from app.settings import Settings
from tests.conftest import MakeClient
from tests.test_execution import Echo, run


class Together(Echo):
    """Predicts only where as many threads as wanted do so at once, but for the warm-up."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self._barrier = threading.Barrier(threads)

    def predict(self, instances: Any) -> Predictions:
        if instances != ["warm"]:
            self._barrier.wait(20)
        return super().predict(instances)


def settings(**given: object) -> Settings:
    return Settings(**{f"FORKCAST_{name.upper()}": value for name, value in given.items()})  # type: ignore[arg-type]


def test_an_artifact_larger_than_the_limit_is_not_loaded(text_artifact: Path) -> None:
    limited = settings(max_model_bytes=10).model_copy(update={"model_uri": str(text_artifact)})

    with pytest.raises(ModelNotReady) as refusal:
        load_models(limited)

    assert "more than the 10 allowed" in refusal.value.reason


def test_a_batch_is_no_larger_than_the_setting() -> None:
    runtime = Echo()
    executor = make_executor(settings(max_batch_size=3), ModelStore.of(runtime), Pace())

    run(executor, lambda: executor.run(runtime, [str(number) for number in range(10)]), runtime)

    assert max(map(len, runtime.batches)) == 3


def test_there_are_as_many_threads_as_the_setting_says() -> None:
    runtime = Together(5)
    executor = make_executor(settings(execution="threads", threads=5), ModelStore.of(runtime), Pace())

    async def main() -> list[Predictions]:
        return await asyncio.gather(*(executor.run(runtime, [str(number)]) for number in range(5)))

    answers = run(executor, main, runtime)

    assert [list(answer.values) for answer in answers] == [[f"<{number}>"] for number in range(5)]


@pytest.mark.parametrize(("threads", "refused"), [(1, False), (2, True)])
def test_a_model_that_is_not_thread_safe_is_served_by_one_thread_at_most(threads: int, refused: bool) -> None:
    runtime = Echo()
    runtime.thread_safe = False
    given = settings(execution="threads", threads=threads)

    if refused:
        with pytest.raises(ModelNotReady):
            make_executor(given, ModelStore.of(runtime), Pace())
    else:
        make_executor(given, ModelStore.of(runtime), Pace()).close()


def test_a_body_larger_than_the_setting_is_refused(client_of: MakeClient, text_runtime: Runtime) -> None:
    client = client_of(text_runtime, max_body_bytes=20)

    answers = [client.post("/predict", json={"text": text}).status_code for text in ("funny", "funny " * 10)]

    assert answers == [200, 413]


def test_the_terms_are_those_of_the_file(client_of: MakeClient, text_runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "terms.txt").write_text("fudge\n")
    client = client_of(text_runtime, content_filter="all", blocked_terms_file=tmp_path / "terms.txt")

    answers = [client.post("/predict", json={"text": text}).status_code for text in ("I hate this", "oh fudge")]

    assert answers == [200, 400]


@pytest.mark.parametrize(("access_log", "events"), [("on", 1), ("off", 0)])
def test_requests_are_logged_if_the_setting_says_so(
    client_of: MakeClient, text_runtime: Runtime, caplog: pytest.LogCaptureFixture, access_log: str, events: int
) -> None:
    client = client_of(text_runtime, access_log=access_log)
    caplog.clear()

    client.post("/predict", json={"text": "funny"})

    logged = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert [event["route"] for event in logged if event["event"] == "request"] == ["/predict"] * events
