"""What the model is asked, and what it answers by itself: without the faster code, the batches and the processes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import orjson

from app.api.documentation import instance_schema
from app.api.native_answers import prediction
from app.input_schema import TextInput
from app.loading import load, loading_of
from app.predictor import Answer
from app.runtimes.artifact import Location
from app.runtimes.base import Runtime
from app.settings import Settings
from benchmarks.failures import NotMeasurable, RequestsFailed, WrongAnswer
from benchmarks.http_client import AS_JSON, Reply
from benchmarks.instances import variations
from benchmarks.load.answers import Question, wrong
from benchmarks.repetition import Plan
from benchmarks.workload import review_bodies, write_bodies

SEED = 20
BODIES = 1_000
KNOWN = 8
WARM_UP_SECONDS = 2


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """A request whose right answer is known."""

    question: Question
    headers: ClassVar[Mapping[str, str]] = AS_JSON

    @property
    def path(self) -> str:
        return self.question.path

    @property
    def body(self) -> bytes:
        return json.dumps(self.question.body).encode()

    def check(self, reply: Reply) -> None:
        fault = wrong(self.question, reply.status, reply.body)
        if fault is not None:
            kind = WrongAnswer if reply.status == 200 else RequestsFailed
            raise kind(f"a known instance: {fault}: {reply.body[:300]!r}")


def own_runtime(settings: Settings) -> Runtime:
    """The model at MODEL_URI, ready to predict in this process; raises NotMeasurable or ModelNotReady."""
    if settings.model_repository is not None or not Path(settings.model_uri).exists():
        raise NotMeasurable("one model at a time is profiled: name its file by MODEL_URI")
    loading = replace(loading_of(settings), acceleration="off")
    runtime = load(Location(Path(settings.model_uri)), loading).current
    runtime.prepare()
    return runtime


def plan_of(runtime: Runtime, *, rows: int, seconds: int, folder: Path) -> Plan:
    """Requests of so many rows each; the first ones are also those whose answers are known."""
    questions = questions_of(runtime, instances_of(runtime), rows)
    # No longer than what is measured.
    warm_up_seconds = min(WARM_UP_SECONDS, seconds)
    known = [KnownAnswer(with_answer(runtime, each)) for each in questions[:KNOWN]]
    bodies = [json.dumps(each.body).encode() for each in questions]
    return Plan(write_bodies(bodies, folder / "bodies.jsonl"), known, warm_up_seconds, seconds)


def instances_of(runtime: Runtime) -> list[Any]:
    """Reviews for a text model; for a table, rows like its example."""
    inputs = runtime.metadata.inputs
    if isinstance(inputs, TextInput):
        return [json.loads(body)["text"] for body in review_bodies(runtime, SEED)[:BODIES]]
    return variations(inputs.example, instance_schema(inputs), count=BODIES, seed=SEED)


def questions_of(runtime: Runtime, instances: Sequence[Any], rows: int) -> list[Question]:
    text = isinstance(runtime.metadata.inputs, TextInput)
    if rows == 1:
        return [Question("/predict", {"text" if text else "features": each}, None) for each in instances]
    batches = [
        [instances[(start + n) % len(instances)] for n in range(rows)] for start in range(0, len(instances), rows)
    ]
    return [Question("/predict_batch", {"texts" if text else "instances": batch}, rows) for batch in batches]


def with_answer(runtime: Runtime, question: Question) -> Question:
    """What the model answers in this process; raises RefusedByModel."""
    [(field, given)] = question.body.items()
    asked = [given] if question.rows is None else given
    answer = Answer(runtime.metadata, runtime.predict(runtime.metadata.inputs.block(asked, lambda index: field)))
    predictions = [prediction(answer, index) for index in range(len(asked))]
    model = {"name": runtime.metadata.name, "version": runtime.metadata.version}
    said = predictions[0] if question.rows is None else {"predictions": predictions}
    return replace(question, answer=orjson.loads(orjson.dumps({**said, "model": model, "request_id": ""})))
