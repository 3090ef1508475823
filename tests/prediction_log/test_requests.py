"""Which requests are logged, by every dialect, and which are not; what a log that is full or down does to them."""

import asyncio
import csv
import hashlib
import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from app.main import create_app
from app.model_store import ModelStore
from app.runtimes.base import Predictions, Runtime
from app.settings import Settings
from tests.api.direct import Answer, alive, posting
from tests.api.test_native import Fake
from tests.api.test_open_inference import NUMBERS, Likely
from tests.prediction_log.made import counted, since
from tests.prediction_log.places import files, redis_stream
from tests.processes.grpc_talk import Client
from tests.test_grpc_service import infer, served

PROBABILITIES = [[0.25, 0.75]] * 2
ROWS = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
NAMED = [dict(zip(NUMBERS.names, row, strict=True)) for row in ROWS]
Ask = Callable[[TestClient], Any]
# At a port that no server of another test is given.
NOBODY_LISTENS = "redis://127.0.0.1:1/0"


def settings(folder: Path, **others: Any) -> Settings:
    named = {f"FORKCAST_{name.upper()}": value for name, value in others.items()}
    return Settings(**{"FORKCAST_PREDICTION_LOG_URL": files(folder).url, **named})  # type: ignore[arg-type]


def logged(folder: Path, runtime: Runtime, *asks: Ask, **others: Any) -> list[dict[str, Any]]:
    """What an application has logged, when it has ended."""
    app = create_app(settings(folder, **others), ModelStore.of(runtime))
    with TestClient(app, raise_server_exceptions=False) as client:
        for ask in asks:
            ask(client)
    return files(folder).read()


def posted(path: str, body: Any, status: int = 200, **headers: str) -> Ask:
    def ask(client: TestClient) -> None:
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        answer = client.post(path, content=content, headers={"content-type": "application/json", **headers})
        assert answer.status_code == status, answer.text

    return ask


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def csv_of(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


TENSOR = {"name": "input-0", "shape": [2, 3], "datatype": "FP64", "data": [each for row in ROWS for each in row]}
BINARY = {"name": "input-0", "shape": [2, 3], "datatype": "FP64", "parameters": {"binary_data_size": 48}}
HEAD = orjson.dumps({"inputs": [BINARY]})
LENGTH = {"inference-header-content-length": str(len(HEAD)), "content-type": "application/octet-stream"}
DIALECTS: dict[str, tuple[Ask, Any, dict[str, str]]] = {
    "native": (posted("/predict_batch", {"instances": NAMED}), NAMED, {}),
    "native, lists": (posted("/predict_batch", {"instances": ROWS}), ROWS, {}),
    "V1": (posted("/v1/models/fake:predict", {"instances": NAMED}), NAMED, {}),
    "V2": (posted("/v2/models/fake/infer", {"inputs": [TENSOR]}), ROWS, {}),
    "V2 in bytes": (posted("/v2/models/fake/infer", HEAD + np.array(ROWS).tobytes(), **LENGTH), ROWS, {}),
    "MLflow": (posted("/invocations", {"dataframe_records": NAMED}), NAMED, {}),
    "MLflow, CSV": (
        posted("/invocations", csv_of([NUMBERS.names, *ROWS]), **{"content-type": "text/csv"}), NAMED, {}
    ),
    "SageMaker": (posted("/invocations", ROWS), ROWS, {"invocations": "sagemaker"}),
    "SageMaker, CSV": (
        posted("/invocations", csv_of(ROWS), **{"content-type": "text/csv"}), ROWS, {"invocations": "sagemaker"}
    ),
    "SageMaker, numpy": (
        posted("/invocations", npy(np.array(ROWS)), **{"content-type": "application/x-npy"}), ROWS,
        {"invocations": "sagemaker"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_request_of_every_dialect_is_one_record(tmp_path: Path, dialect: str) -> None:
    ask, instances, others = DIALECTS[dialect]

    [record] = logged(tmp_path, Likely(NUMBERS), ask, **others)

    assert record["instances"] == instances
    assert record["predictions"] == {"predict": ["b", "b"], "predict_proba": PROBABILITIES}
    assert (record["classes"], record["rows"]) == (["a", "b"], 2)
    assert (record["model"], record["version"], record["key"]) == ("fake", "7", None)
    assert 0 < record["seconds"] < 5
    assert len(record["request_id"]) == 32


def test_a_call_over_grpc_is_one_record(tmp_path: Path, text_runtime: Runtime) -> None:
    keys = key_file(tmp_path, "mobile")

    async def asking(app: ASGIApp, client: Client) -> None:
        stream = await infer(client, x_api_key="mobile.secret")
        assert client.status(stream)[0] == "0"

    url = files(tmp_path).url
    served(text_runtime, asking, FORKCAST_PREDICTION_LOG_URL=url, FORKCAST_API_KEYS_FILE=str(keys))

    [record] = files(tmp_path).read()
    assert (record["instances"], record["predictions"]["predict"]) == (["a dull film"], ["negative"])
    assert record["key"] == "mobile"
    assert len(record["request_id"]) == 32


def key_file(folder: Path, name: str) -> Path:
    path = folder / "keys"
    path.touch(mode=0o640)
    path.write_text(f"{name} {hashlib.sha256(b'secret').hexdigest()} predict\n")
    return path


def test_a_record_has_the_name_of_the_key_and_the_id_that_its_client_knows(
    tmp_path: Path, text_runtime: Runtime
) -> None:
    ask = posted("/predict", {"text": "funny"}, **{"x-api-key": "mobile.secret", "x-request-id": "mine-7"})

    [record] = logged(tmp_path, text_runtime, ask, api_keys_file=str(key_file(tmp_path, "mobile")))

    assert (record["key"], record["request_id"]) == ("mobile", "mine-7")
    assert "secret" not in str(record)


def test_the_time_is_that_of_the_answer(tmp_path: Path, text_runtime: Runtime) -> None:
    began = time.time()
    [record] = logged(tmp_path, text_runtime, posted("/predict", {"text": "funny"}))

    told = np.datetime64(record["time"].removesuffix("Z")).astype("int64") / 1e6
    assert began <= told <= time.time()


def test_what_was_asked_for_in_place_of_a_prediction_is_told_by_its_name(tmp_path: Path) -> None:
    both = {"inputs": [TENSOR], "outputs": [{"name": "predict_proba"}, {"name": "predict"}]}

    records = logged(
        tmp_path,
        Likely(NUMBERS),
        posted("/predict", {"features": ROWS[0], "output": "predict_proba"}),
        posted("/v2/models/fake/infer", both),
    )

    predicted = [record["predictions"] for record in records]
    assert predicted[0] == {"predict": ["b"], "predict_proba": PROBABILITIES[:1]}
    assert predicted[1] == {"predict": ["b", "b"], "predict_proba": PROBABILITIES}


def test_of_a_regressor_the_numbers_are_told(tmp_path: Path) -> None:
    [record] = logged(tmp_path, Fake(NUMBERS, regression=True), posted("/predict_batch", {"instances": ROWS}))

    assert (record["predictions"], record["classes"]) == ({"predict": [0.0, 1.0]}, None)


def test_what_is_not_answered_with_a_prediction_is_not_logged(tmp_path: Path, text_runtime: Runtime) -> None:
    records = logged(
        tmp_path, text_runtime,
        posted("/predict", {"text": 7}, 422), posted("/predict", b"{", 400), posted("/nothing", {}, 404),
        posted("/predict", {"text": "I hate this"}, 400), posted("/predict", {"text": "funny"}),
        content_filter="all",
    )  # fmt: skip

    assert [record["instances"] for record in records] == [["funny"]]


def test_a_model_that_fails_is_not_logged(tmp_path: Path) -> None:
    failing = Fake(NUMBERS, error=ZeroDivisionError())

    assert logged(tmp_path, failing, posted("/predict_batch", {"instances": ROWS}, 500), execution="inline") == []


@pytest.mark.parametrize(("form", "instances", "digest"), [
    ("full", ["funny"], None), ("hash", None, hashlib.sha256(b'["funny"]').hexdigest()), ("none", None, None),
])  # fmt: skip
def test_instances_are_logged_as_the_setting_says(
    tmp_path: Path, text_runtime: Runtime, form: str, instances: Any, digest: str | None
) -> None:
    [record] = logged(tmp_path, text_runtime, posted("/predict", {"text": "funny"}), prediction_log_instances=form)

    assert (record["instances"], record["instances_sha256"]) == (instances, digest)


class Spoiling(Fake):
    """Changes in its place what it is given."""

    def predict(self, instances: Any) -> Predictions:
        answer = super().predict(instances)
        instances *= 0.0
        return answer


@pytest.mark.parametrize("dialect", ["native", "V2", "SageMaker, numpy"])
@pytest.mark.parametrize("execution", ["inline", "microbatch", "threads"])
def test_what_a_model_does_to_its_instances_is_not_what_was_asked(tmp_path: Path, dialect: str, execution: str) -> None:
    ask, instances, others = DIALECTS[dialect]
    if dialect == "SageMaker, numpy":
        # What belongs to the request's bytes cannot be changed.
        ask = posted("/invocations", npy(np.array(ROWS)), 500, **{"content-type": "application/x-npy"})
    records = logged(tmp_path, Spoiling(NUMBERS), ask, **others, execution=execution)

    assert [record["instances"] for record in records] in ([instances], [])
    assert bool(records) is (dialect != "SageMaker, numpy")


@pytest.mark.parametrize("cache_entries", [0, 100])
def test_what_the_cache_answers_is_logged_too(tmp_path: Path, text_runtime: Runtime, cache_entries: int) -> None:
    ask = posted("/predict", {"text": "funny"})

    first, second = logged(tmp_path, text_runtime, ask, ask, cache_entries=cache_entries)

    assert (first["predictions"], first["instances"]) == (second["predictions"], second["instances"])
    assert first["id"] != second["id"]


def test_without_a_url_nothing_is_written(tmp_path: Path, text_runtime: Runtime) -> None:
    before = counted()
    with TestClient(create_app(Settings(), ModelStore.of(text_runtime))) as client:
        posted("/predict", {"text": "funny"})(client)

    assert since(before) == {}


def test_who_must_be_logged_and_cannot_be_is_answered_503_in_each_dialects_form(tmp_path: Path) -> None:
    """Nothing is written before the end, and one record fills the queue."""
    runtime = Likely(NUMBERS)
    asks = {
        "/predict_batch": {"instances": ROWS},
        "/v1/models/fake:predict": {"instances": ROWS},
        "/v2/models/fake/infer": {"inputs": [TENSOR]},
        "/invocations": {"instances": ROWS},
    }
    app = create_app(
        settings(tmp_path, prediction_log_url=NOBODY_LISTENS, prediction_log_on_full="block", prediction_log_queue=1),
        ModelStore.of(runtime),
    )  # fmt: skip

    with TestClient(app) as client:
        posted("/predict_batch", asks["/predict_batch"])(client)
        began = time.monotonic()
        with ThreadPoolExecutor() as threads:
            asking = {
                path: threads.submit(client.post, path, json=body, headers={"x-request-timeout-ms": "2000"})
                for path, body in asks.items()
            }
        answers = {path: asked.result() for path, asked in asking.items()}
        seconds = time.monotonic() - began
        client.app_state["ending"].by = time.monotonic()

    assert {answer.status_code for answer in answers.values()} == {503}
    assert {answer.headers["retry-after"] for answer in answers.values()} == {"1"}
    assert "could not be logged" in answers["/predict_batch"].json()["detail"]
    assert "could not be logged" in answers["/v2/models/fake/infer"].json()["error"]
    assert "could not be logged" in answers["/invocations"].json()["message"]
    assert 2.0 <= seconds < 2.0 + 10.0


MANY = 400
# Beyond what a machine that does other things too may take for one.
MOST_P99_SECONDS = 0.1


def test_a_store_that_is_down_hurts_no_request(text_runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    before = counted()
    given = Settings(FORKCAST_PREDICTION_LOG_URL=NOBODY_LISTENS, FORKCAST_PREDICTION_LOG_QUEUE=100)  # type: ignore[call-arg]

    answers, seconds = asyncio.run(many(given, text_runtime, end_seconds=0.0))

    assert {answer.status for answer in answers} == {200}
    assert "Connect call failed" in caplog.text
    assert np.percentile(seconds, 99) < MOST_P99_SECONDS
    # What had no room; and at the end, which waits for no store for longer than it may, the others.
    assert since(before) == {"dropped": MANY}


def test_what_is_asked_at_once_is_logged_in_full(text_runtime: Runtime, redis_url: str) -> None:
    place = redis_stream(redis_url)
    given = Settings(FORKCAST_PREDICTION_LOG_URL=place.url, FORKCAST_PREDICTION_LOG_FLUSH_SECONDS=0.05)  # type: ignore[call-arg]

    answers, _ = asyncio.run(many(given, text_runtime))

    ids = [orjson.loads(answer.content)["request_id"] for answer in answers]
    assert sorted(record["request_id"] for record in place.read()) == sorted(ids)


async def many(given: Settings, runtime: Runtime, end_seconds: float = 10.0) -> tuple[list[Answer], list[float]]:
    """Answers to requests of eight clients, and the seconds that each took; the end may take so long."""
    answers: list[Answer] = []
    seconds: list[float] = []
    app = create_app(given, ModelStore.of(runtime))
    async with alive(app) as state:
        post = posting(app, state)

        async def ask() -> None:
            for _ in range(MANY // 8):
                began = time.perf_counter()
                answers.append(await post("/predict", b'{"text": "a warm and funny film"}'))
                seconds.append(time.perf_counter() - began)
                await asyncio.sleep(0)

        await asyncio.gather(*(ask() for _ in range(8)))
        state["ending"].by = time.monotonic() + end_seconds
    return answers, seconds
