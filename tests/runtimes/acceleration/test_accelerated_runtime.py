"""A runtime with two ways: when which is gone, and that a wrong one is gone never."""

import logging
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from prometheus_client import REGISTRY
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from app.errors import RefusedByModel
from app.instances import Instances
from app.runtimes import acceleration, build_runtime, load_runtime, read_model
from app.runtimes.acceleration.accelerated_runtime import MOST_ROWS, UNEQUAL, AcceleratedRuntime
from app.runtimes.artifact import Location
from app.runtimes.base import Loading, ModelMetadata, Predictions
from tests.conftest import LABELS, TEXTS, MakeClient
from tests.runtimes.acceleration import ensembles
from tests.runtimes.acceleration.fakes import (
    PROBES,
    ByHeart,
    CheapForMany,
    CheapForOne,
    CheapForOneRow,
    own,
    with_golden,
)
from tests.test_execution import Echo


def prepared(accelerator: ByHeart, target: str = "labels") -> AcceleratedRuntime:
    runtime = AcceleratedRuntime(own(target), accelerator)
    runtime.prepare()
    accelerator.asked.clear()
    return runtime


def alike(given: Predictions, expected: Predictions) -> bool:
    return list(given.values) == list(expected.values) and np.allclose(
        np.asarray(given.probabilities, dtype=float), np.asarray(expected.probabilities, dtype=float), atol=1e-12
    )


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "forkcast"]


def test_before_it_is_prepared_only_the_estimator_answers() -> None:
    accelerator = ByHeart(own())
    runtime = AcceleratedRuntime(own(), accelerator)

    assert alike(runtime.predict(PROBES), own().predict(PROBES))
    assert accelerator.asked == []


def test_what_is_equal_and_cheaper_is_used() -> None:
    accelerator = ByHeart(own())
    runtime = prepared(accelerator)

    answers = [runtime.predict(PROBES[:1]), runtime.predict(PROBES), runtime.predict(PROBES * 500)]

    assert accelerator.asked == [1, len(PROBES), len(PROBES) * 500]
    assert runtime.metadata.acceleration == "by heart"
    for answer, texts in zip(answers, (PROBES[:1], PROBES, PROBES * 500), strict=True):
        assert alike(answer, own().predict(texts))


def test_all_else_of_the_metadata_is_the_models() -> None:
    runtime = prepared(ByHeart(own()))

    assert runtime.thread_safe is own().thread_safe
    assert [getattr(runtime.metadata, name) for name in ("name", "version", "inputs", "classes", "class_names")] == [
        getattr(own().metadata, name) for name in ("name", "version", "inputs", "classes", "class_names")
    ]


@pytest.mark.parametrize(("kind", "used"), [(CheapForOne, [True, False, False]), (CheapForMany, [False, True, True])])
def test_of_the_two_ways_that_one_is_gone_which_is_cheaper_for_so_many_rows(
    kind: type[ByHeart], used: list[bool]
) -> None:
    accelerator = kind(own())
    runtime = prepared(accelerator)
    found = []

    for rows in (1, MOST_ROWS, MOST_ROWS + 100):
        runtime.predict(PROBES[:1] * rows)
        found.append(accelerator.asked == [rows])
        accelerator.asked.clear()

    assert found == used


def test_the_rows_of_a_block_of_columns_are_what_counts() -> None:
    table = ensembles.runtime("histogram of categories")
    row = table.metadata.inputs.block([table.metadata.inputs.example], str)
    assert isinstance(row, dict)
    assert len(row) > 1
    accelerator = CheapForOneRow(table, row)
    runtime = AcceleratedRuntime(table, accelerator)
    runtime.prepare()
    accelerator.asked.clear()

    runtime.predict(row)

    assert accelerator.asked == [1]


def relabelled(answers: Predictions) -> Predictions:
    other = {"positive": "negative", "negative": "positive"}
    return Predictions([other[answers.values[0]], *answers.values[1:]], answers.probabilities)  # type: ignore[index]


def shifted(answers: Predictions) -> Predictions:
    probabilities = np.array(answers.probabilities)
    probabilities[-1, 0] += 1e-9
    return Predictions(answers.values, probabilities)


def reversed_batch(answers: Predictions) -> Predictions:
    return Predictions(answers.values[::-1], np.asarray(answers.probabilities)[::-1])


def broken(answers: Predictions) -> Predictions:
    raise ZeroDivisionError


def broken_batch(answers: Predictions) -> Predictions:
    return answers if len(answers.values) == 1 else broken(answers)


def swapped(answers: Predictions) -> Predictions:
    return Predictions(answers.values, np.asarray(answers.probabilities)[:, ::-1])


def unknown(answers: Predictions) -> Predictions:
    return Predictions(answers.values, np.full_like(answers.probabilities, np.nan))


def values_as(kind: Any) -> Any:
    return lambda answers: Predictions([kind(value) for value in answers.values], answers.probabilities)


def probabilities_as(kind: Any) -> Any:
    return lambda answers: Predictions(answers.values, kind(answers.probabilities))


WRONG: dict[str, tuple[str, Any]] = {
    "a label": ("labels", relabelled),
    "a probability": ("labels", shifted),
    "probabilities in another order": ("labels", swapped),
    "probabilities that are none": ("labels", unknown),
    "probabilities left out": ("labels", probabilities_as(lambda _: None)),
    "one class left out": ("labels", probabilities_as(lambda given: given[:, :1])),
    "one row of probabilities left out": ("labels", probabilities_as(lambda given: given[1:])),
    "probabilities of half the width": ("labels", probabilities_as(lambda given: given.astype(np.float32))),
    "probabilities that no JSON has": ("labels", probabilities_as(lambda given: [list(row) for row in given])),
    "an answer left out": ("labels", lambda answers: answers.part(1, len(answers.values))),
    "an answer too many": ("labels", lambda answers: Predictions([*answers.values] * 2, answers.probabilities)),
    "the order of a batch": ("labels", reversed_batch),
    "a label that no JSON has": ("labels", values_as(np.str_)),
    "a number for a flag": ("flags", values_as(int)),
    "a flag that no JSON has": ("flags", values_as(np.bool_)),
    "a number": ("number", values_as(lambda value: value + 1e-9)),
    "a number that no JSON has": ("number", values_as(np.float64)),
    "a list for a number": ("number", values_as(lambda value: [value])),
    "one of two numbers": ("numbers", values_as(lambda pair: [pair[0], pair[1] - 1e-9])),
    "numbers that no JSON has": ("numbers", values_as(np.array)),
    "an exception": ("labels", broken),
    "an exception at a batch": ("labels", broken_batch),
    "no answer to a batch": ("labels", lambda answers: answers if len(answers.values) == 1 else None),
    "no answer": ("labels", lambda answers: None),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_answers_otherwise_is_never_used_and_reported_once(wrong: str, caplog: pytest.LogCaptureFixture) -> None:
    target, spoil = WRONG[wrong]
    accelerator = ByHeart(own(target), spoil)

    runtime = prepared(accelerator, target)
    answers = [runtime.predict(PROBES[:1]), runtime.predict(PROBES), runtime.predict(PROBES * 200)]

    assert accelerator.asked == []
    assert list(answers[1].values) == list(own(target).predict(PROBES).values)
    assert runtime.metadata.acceleration == UNEQUAL
    [line] = logged(caplog)
    assert not any(text in line for text in PROBES)


@pytest.mark.parametrize(
    ("spoil", "reason"), [(relabelled, "another label of one row"), (broken, "ZeroDivisionError at its proof")]
)
def test_the_report_says_what_differs(spoil: Any, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    prepared(ByHeart(own(), spoil))

    [line] = logged(caplog)
    assert f"'reason': '{reason}'" in line
    assert "'by heart'" in line


@pytest.mark.parametrize("target", ["labels", "flags", "number", "numbers"])
def test_each_kind_of_answer_may_be_equal(target: str) -> None:
    accelerator = ByHeart(own(target))

    runtime = prepared(accelerator, target)
    runtime.predict(PROBES[:1])

    assert (runtime.metadata.acceleration, accelerator.asked) == ("by heart", [1])


def test_numbers_may_differ_by_rounding() -> None:
    runtime = prepared(ByHeart(own(), probabilities_as(lambda given: given + 1e-15)))

    assert runtime.metadata.acceleration == "by heart"


@pytest.mark.parametrize("text", ["a fine film", "a golden film"], ids=["example", "golden"])
def test_what_errs_at_the_models_own_instances_only_is_found_out(text: str) -> None:
    model = with_golden(own(), "a golden film")
    wrong = model.predict([text]).values[0]

    def err(answers: Predictions) -> Predictions:
        return relabelled(answers) if list(answers.values) == [wrong] and accelerator.asks_for == [text] else answers

    class Knowing(ByHeart):
        asks_for: Instances = ()  # type: ignore[assignment]

        def predict(self, instances: Instances) -> Predictions | None:
            self.asks_for = instances
            return super().predict(instances)

    accelerator = Knowing(model, err, more=("a golden film",))
    runtime = AcceleratedRuntime(model, accelerator)
    runtime.prepare()

    assert runtime.metadata.acceleration == UNEQUAL


def test_what_has_no_probes_to_give_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    class WithoutProbes(ByHeart):
        def probes(self) -> Instances:
            raise LookupError

    runtime = prepared(WithoutProbes(own()))

    assert runtime.metadata.acceleration == UNEQUAL
    assert len(logged(caplog)) == 1


def test_what_it_leaves_to_the_estimator_is_the_estimators() -> None:
    accelerator = ByHeart(own())
    runtime = prepared(accelerator)
    texts = [PROBES[0], "not known by heart"]

    answers = runtime.predict(texts)

    assert accelerator.asked == [2]
    assert alike(answers, own().predict(texts))


def test_a_probe_that_it_leaves_to_the_estimator_does_not_count_against_it() -> None:
    class WithMoreProbes(ByHeart):
        def probes(self) -> Instances:
            return ["not known by heart", *PROBES]

    accelerator = WithMoreProbes(own())
    runtime = prepared(accelerator)
    runtime.predict(PROBES)

    assert (runtime.metadata.acceleration, accelerator.asked) == ("by heart", [len(PROBES)])


def test_what_the_estimator_refuses_is_refused() -> None:
    runtime = prepared(ByHeart(own()))

    with pytest.raises(RefusedByModel):
        runtime.predict([np.nan])  # type: ignore[list-item]


def test_what_fails_after_its_proof_is_answered_by_the_estimator_from_there_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Forgetful(ByHeart):
        def predict(self, instances: Instances) -> Predictions | None:
            answers = super().predict(instances)
            if answers is None:
                raise LookupError
            return answers

    accelerator = Forgetful(own())
    runtime = prepared(accelerator)

    answers = [runtime.predict(["not known by heart"]), runtime.predict(PROBES)]

    assert accelerator.asked == [1]
    assert alike(answers[0], own().predict(["not known by heart"]))
    assert alike(answers[1], own().predict(PROBES))
    assert len(logged(caplog)) == 1


def test_a_worker_serves_with_it_and_says_so(client_of: MakeClient) -> None:
    accelerator = ByHeart(own())
    client = client_of(AcceleratedRuntime(own(), accelerator))
    accelerator.asked.clear()

    body = client.post("/predict", json={"text": "a fine film"}).json()

    assert accelerator.asked == [1]
    assert body["label"] in ("positive", "negative")
    labels = {"model": "small", "version": "1", "sha256": "0" * 64, "runtime": "test", "acceleration": "by heart"}
    assert REGISTRY.get_sample_value("forkcast_model_info", labels) == 1.0


def by_heart(estimator: Any, metadata: ModelMetadata) -> ByHeart:
    return ByHeart(own())


def test_with_acceleration_off_none_is_built(monkeypatch: pytest.MonkeyPatch, text_artifact: Path) -> None:
    monkeypatch.setattr(acceleration, "BUILDERS", (by_heart,))
    artifact = read_model(Location(text_artifact), Loading())

    assert isinstance(build_runtime(artifact, Loading()), AcceleratedRuntime)
    assert build_runtime(artifact, Loading(acceleration="off")).metadata.acceleration == "none"
    assert not isinstance(build_runtime(artifact, Loading(acceleration="off")), AcceleratedRuntime)


def test_where_no_builder_knows_the_estimator_or_one_raises_the_runtime_stays_as_it_was(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[Any] = []

    def raising(estimator: Any, metadata: ModelMetadata) -> ByHeart:
        asked.append(estimator)
        raise ZeroDivisionError

    def unknowing(estimator: Any, metadata: ModelMetadata) -> None:
        asked.append(estimator)

    monkeypatch.setattr(acceleration, "BUILDERS", (raising, unknowing))

    assert acceleration.accelerated(own()) is own()
    assert asked == [own().estimator] * 2
    assert len(logged(caplog)) == 1


def test_a_builder_that_raises_does_not_keep_the_next_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(estimator: Any, metadata: ModelMetadata) -> ByHeart:
        raise ZeroDivisionError

    monkeypatch.setattr(acceleration, "BUILDERS", (raising, by_heart))

    assert acceleration.accelerated(own()).metadata.acceleration == "by heart"


def test_of_a_search_the_best_estimator_is_accelerated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found: list[Any] = []
    monkeypatch.setattr(acceleration, "BUILDERS", (lambda estimator, metadata: found.append(estimator),))
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression())
    search = GridSearchCV(GridSearchCV(pipeline, {"logisticregression__C": [1]}, cv=2), {"verbose": [0]}, cv=2)
    joblib.dump(search.fit(TEXTS * 3, LABELS * 3), tmp_path / "search.joblib")

    load_runtime(str(tmp_path / "search.joblib"), pin=None, max_bytes=2**24)

    assert [type(estimator).__name__ for estimator in found] == ["Pipeline"]


def test_a_runtime_of_another_kind_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceleration, "BUILDERS", (by_heart,))
    runtime = Echo()

    assert acceleration.accelerated(runtime) is runtime


def test_nothing_of_a_model_that_is_equal_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    prepared(ByHeart(own()))

    assert logged(caplog) == []
