import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.svm import LinearSVC

from app.errors import BadInput, ModelNotReady, RefusedByModel
from app.instances import Instances
from app.runtimes import load_runtime
from app.runtimes.base import Golden, Runtime
from tests.runtimes import models
from tests.runtimes.models import NUMBERS, TEXTS, THREE, TWO, Answers, JobsClassifier, JobsTransformer, Wide, forest

Serve = Callable[..., Runtime]
Save = Callable[..., Path]


def rows(runtime: Runtime, instances: list[Any]) -> Instances:
    return runtime.metadata.inputs.block(instances, str)


def refusal(path: Path) -> str:
    with pytest.raises(ModelNotReady) as caught:
        load_runtime(str(path), pin=None, max_bytes=2**24)
    return caught.value.reason


def test_a_list_in_column_order_answers_as_the_named_columns_do(serve: Serve) -> None:
    model = models.model("columns and logistic regression")
    runtime = serve(model.artifact)

    in_order = runtime.predict(rows(runtime, [list(instance.values()) for instance in model.instances]))
    shuffled = runtime.predict(rows(runtime, [dict(reversed(each.items())) for each in model.instances]))

    assert list(in_order.values) == list(shuffled.values) == model.values


def test_an_artifact_without_a_manifest_is_named_after_its_file_and_versioned_by_its_sha256(serve: Serve) -> None:
    metadata = serve(models.model("ridge").artifact, "house-prices.joblib").metadata

    assert (metadata.name, metadata.version) == ("house-prices", metadata.sha256[:12])
    assert len(metadata.sha256) == 64
    assert (metadata.platform, metadata.task, metadata.goldens) == ("sklearn_joblib", "regression", ())


@pytest.mark.parametrize("name", ["churn.pkl", "churn.pickle"])
def test_a_plain_pickle_is_served(serve: Serve, name: str) -> None:
    model = models.model("forest of int classes")

    runtime = serve(pickle.dumps(model.artifact), name)

    assert list(runtime.predict(rows(runtime, model.instances)).values) == model.values


def test_another_kind_of_file_is_refused(save: Save) -> None:
    path = save(b"", "churn.h5")

    assert refusal(path) == f"{path}: is none of the formats served (.joblib, .pkl, .pickle, .skops, .onnx)"


MANIFEST = {
    "name": "prices", "version": "7", "libraries": {"scikit-learn": sklearn.__version__},
    "inputs": {
        "kind": "table",
        "columns": [{"name": name, "kind": "number", "nullable": False} for name in ("height", "width", "depth")],
        "example": {"height": 1.0, "width": 2.0, "depth": 3.0},
    },
    "goldens": [{"instance": [1, 2, 3], "value": 4.0, "probabilities": None}],
}  # fmt: skip


def test_a_manifest_gives_name_version_inputs_and_goldens(serve: Serve) -> None:
    metadata = serve(models.model("ridge").artifact, **MANIFEST).metadata

    assert (metadata.name, metadata.version) == ("prices", "7")
    assert metadata.inputs.example == {"height": 1.0, "width": 2.0, "depth": 3.0}
    assert metadata.goldens == (Golden([1, 2, 3], 4.0, None),)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"inputs": None}, id="no inputs"),
        pytest.param({"inputs": {"kind": "table"}}, id="inputs without columns"),
        pytest.param({"inputs": []}, id="inputs as a list"),
        pytest.param({"libraries": []}, id="libraries as a list"),
        pytest.param({"libraries": None}, id="libraries null"),
        pytest.param({"goldens": None}, id="goldens null"),
        pytest.param({"goldens": [{"instance": [1, 2, 3]}]}, id="golden without an answer"),
    ],
)
def test_a_manifest_with_a_wrong_member_is_refused(save: Save, wrong: dict[str, Any]) -> None:
    path = save(models.model("ridge").artifact, **{**MANIFEST, **wrong})

    assert str(path) in refusal(path)


def test_another_version_of_scikit_learn_in_the_manifest_is_refused_before_unpickling(
    save: Save, unpickled: list[str]
) -> None:
    path = save(models.model("ridge").artifact, **{**MANIFEST, "libraries": {"scikit-learn": "0.24.2"}})

    reason = refusal(path)

    assert reason == f"{path}: fitted with scikit-learn 0.24.2, here is {sklearn.__version__}"
    assert unpickled == []


def test_another_version_of_scikit_learn_in_the_pickle_is_refused(save: Save) -> None:
    here = sklearn.__version__
    other = here[:-1] + ("0" if here[-1] != "0" else "1")
    data = pickle.dumps(models.model("ridge").artifact)
    assert data.count(here.encode()) == 1
    path = save(data.replace(here.encode(), other.encode()), "churn.pkl")

    assert refusal(path) == f"{path}: fitted with scikit-learn {other}, here is {here}"


def wrong_pin(path: Path) -> str:
    return "0" * 64


def everyone_may_write(path: Path) -> None:
    path.chmod(0o666)


def foreign_manifest(path: Path) -> None:
    path.with_suffix(".manifest.json").write_text('{"sha256": "of another"}')


@pytest.mark.parametrize("spoil", [wrong_pin, everyone_may_write, foreign_manifest])
def test_nothing_is_unpickled_before_the_checks_have_passed(
    save: Save, unpickled: list[str], spoil: Callable[[Path], str | None]
) -> None:
    path = save(models.model("ridge").artifact)
    load_runtime(str(path), pin=None, max_bytes=2**24)
    seen = unpickled.copy()
    unpickled.clear()
    pin = spoil(path)

    with pytest.raises(ModelNotReady):
        load_runtime(str(path), pin=pin, max_bytes=2**24)

    assert "sklearn.linear_model._ridge.Ridge" in seen
    assert unpickled == []


def test_the_file_is_opened_only_once_so_that_what_is_loaded_is_what_was_hashed(
    save: Save, listen: Callable[..., None]
) -> None:
    path = save(models.model("ridge").artifact)
    opened: list[str] = []
    listen(lambda event, args: opened.append(str(args[0])) if event == "open" else None)

    load_runtime(str(path), pin=None, max_bytes=2**24)

    assert opened.count(str(path)) == 1


def test_a_model_that_was_never_fitted_is_refused(save: Save) -> None:
    assert refusal(save(LogisticRegression())) == "the LogisticRegression in the artifact was never fitted"


def test_a_pipeline_that_was_never_fitted_is_refused(save: Save) -> None:
    path = save(make_pipeline(StandardScaler(), LogisticRegression()))

    assert refusal(path) == "the Pipeline in the artifact was never fitted"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        pytest.param({"weights": [1, 2]}, "dict", id="dict"),
        pytest.param([1, 2], "list", id="list"),
        pytest.param(StandardScaler().fit(NUMBERS), "StandardScaler", id="transformer"),
        pytest.param((LabelEncoder().fit(["a"]), LabelEncoder().fit(["b"])), "tuple", id="two encoders"),
        pytest.param({"model": Answers(1.0), "threshold": 0.5}, "dict", id="model and threshold"),
        pytest.param(NUMBERS, "ndarray", id="array"),
    ],
)
def test_what_cannot_predict_is_refused(save: Save, content: Any, kind: str) -> None:
    assert refusal(save(content)) == f"the artifact holds a {kind}, which cannot predict"


def test_an_estimator_that_was_fitted_on_names_beside_an_encoder_of_them_is_refused(save: Save) -> None:
    labels = models.letters(TWO)
    path = save((LinearSVC().fit(NUMBERS, labels), LabelEncoder().fit(labels)))

    assert "\n" not in refusal(path)


def test_an_object_that_predicts_without_being_an_estimator_is_served(serve: Serve) -> None:
    runtime = serve(models.PlainObject())

    assert list(runtime.predict(rows(runtime, [[1, 2]])).values) == [0.0]


def test_a_file_that_a_sha256_proves_is_not_looked_through_beforehand(save: Save, unpickled: list[str]) -> None:
    path = save(pickle.dumps(models.model("ridge").artifact)[:-1])

    with pytest.raises(ModelNotReady, match="No model") as caught:
        load_runtime(str(path), pin=hashlib.sha256(path.read_bytes()).hexdigest(), max_bytes=2**24)

    assert caught.value.reason.startswith(f"{path}: cannot be loaded (")
    assert "sklearn.linear_model._ridge.Ridge" in unpickled


def test_a_missing_module_is_named(save: Save) -> None:
    path = save(b"cno_such_module.inner\nThing\n.")

    assert refusal(path) == f"{path}: needs the module no_such_module, which is not installed"


def test_a_missing_class_is_named(save: Save) -> None:
    path = save(b"capp.errors\nNoSuchClass\n.")

    assert "NoSuchClass" in refusal(path)


def test_a_reason_is_one_line_though_the_cause_has_many(save: Save) -> None:
    path = save(b"cbuiltins\nexec\n(Vraise ValueError(chr(10).join(('one', 'two')))\ntR.")

    assert refusal(path).endswith("cannot be loaded (ValueError: one two)")


def nested(name: str) -> Any:
    classifier, scaled = JobsClassifier(), make_pipeline(JobsTransformer(), JobsClassifier())
    return {
        "plain": classifier,
        "pipeline": scaled,
        "column transformer": make_pipeline(ColumnTransformer([("all", JobsTransformer(), [0, 1, 2])]), classifier),
        "union": make_pipeline(FeatureUnion([("one", JobsTransformer())]), classifier),
        "search": GridSearchCV(scaled, {"jobsclassifier__n_jobs": [2]}, cv=2),
        "voting": VotingClassifier([("one", scaled)], voting="soft"),
        "stacking": StackingClassifier([("one", scaled)], final_estimator=JobsClassifier(), cv=2),
        "bagging": BaggingClassifier(classifier, n_estimators=2),
        "one against rest": OneVsRestClassifier(classifier),
        "calibrated": CalibratedClassifierCV(scaled, cv=2),
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "plain", "pipeline", "column transformer", "union", "search", "voting", "stacking", "bagging",
        "one against rest", "calibrated",
    ],
)  # fmt: skip
def test_no_part_of_a_loaded_model_starts_jobs(serve: Serve, name: str) -> None:
    runtime = serve(nested(name).fit(NUMBERS, TWO))

    answered = runtime.predict(rows(runtime, NUMBERS[:2].tolist()))

    assert len(answered.values) == 2


@pytest.mark.parametrize("source", ["filename", "file"])
@pytest.mark.parametrize(
    "vectorizer", [CountVectorizer(), TfidfVectorizer(), HashingVectorizer(n_features=64)], ids=str
)
@pytest.mark.parametrize("manifest", [False, True], ids=["no manifest", "manifest"])
def test_a_vectorizer_that_opens_the_files_named_in_a_request_is_refused(
    save: Save, vectorizer: Any, source: str, manifest: bool
) -> None:
    pipeline = make_pipeline(clone(vectorizer), LogisticRegression()).fit(TEXTS, models.LABELS)
    pipeline.steps[0][1].input = source
    members = {"inputs": {"kind": "text", "example": "good"}} if manifest else {}

    reason = refusal(save(pipeline, **members))

    assert reason.endswith(f"has a vectorizer with input={source!r}; only 'content' is served")


def test_a_vectorizer_of_files_is_refused_in_a_union(save: Save) -> None:
    pipeline = make_pipeline(make_union(CountVectorizer(), TfidfVectorizer()), LogisticRegression())
    pipeline.fit(TEXTS, models.LABELS)
    pipeline.steps[0][1].transformer_list[1][1].input = "filename"

    assert "input='filename'" in refusal(save(pipeline))


def test_a_vectorizer_of_files_is_refused_in_a_column_transformer(save: Save) -> None:
    texts = ColumnTransformer([("text", TfidfVectorizer(), "city")])
    pipeline = make_pipeline(texts, LogisticRegression()).fit(models.TABLE.dropna(), TWO[models.TABLE.dropna().index])
    pipeline.steps[0][1].named_transformers_["text"].input = "filename"

    assert "input='filename'" in refusal(save(pipeline))


def test_a_committee_of_classifiers_of_several_labels_is_refused(save: Save) -> None:
    targets = np.column_stack([TWO, 1 - TWO])
    committee = StackingClassifier([("perceptron", models.perceptron())], LogisticRegression(), cv=2)
    committee.fit(NUMBERS, TWO)
    committee.estimators_ = [models.perceptron().fit(NUMBERS, targets)]
    path = save(committee)

    assert refusal(path) == f"{path}: combines classifiers of several labels, which is not served"


def test_a_chain_of_labels_of_three_classes_answers_labels_alone(serve: Serve) -> None:
    chain, labels = ClassifierChain(LogisticRegression()), np.column_stack([TWO, THREE])

    runtime = serve(make_pipeline(StandardScaler(), chain).fit(NUMBERS, labels))

    answered = runtime.predict(runtime.metadata.inputs.block(NUMBERS.tolist(), str))
    assert (runtime.metadata.classes_of_labels, runtime.metadata.outputs) == (((0, 1), (0, 1, 2)), ("predict",))
    assert answered.probabilities is None
    assert np.mean(np.asarray(answered.values) == labels) > 0.8


def test_labels_that_were_fitted_as_a_sparse_matrix_are_refused(save: Save) -> None:
    path = save(KNeighborsClassifier(3).fit(NUMBERS, csr_matrix(np.column_stack([TWO, 1 - TWO]))))

    assert refusal(path) == f"{path}: was fitted on a sparse matrix of labels; fit it on their toarray()"


def test_a_stack_of_classifiers_of_several_labels_is_refused(save: Save) -> None:
    stack = StackingClassifier([("forest", forest())], forest(), cv=2)
    path = save(stack.fit(NUMBERS, np.column_stack([TWO, 1 - TWO])))

    assert refusal(path) == f"{path}: combines classifiers of several labels, which is not served"


def test_an_encoder_beside_a_classifier_of_several_labels_is_refused(save: Save) -> None:
    encoder = LabelEncoder().fit(["a", "b"])
    path = save((MultiOutputClassifier(LogisticRegression()).fit(NUMBERS, np.column_stack([TWO, 1 - TWO])), encoder))

    assert refusal(path) == f"{path}: its LabelEncoder is not of the estimator's classes"


def test_a_sparse_output_is_answered_whole_up_to_a_limit(serve: Serve) -> None:
    runtime = serve(Wide(5_000_000))

    assert runtime.compute(rows(runtime, [[0.0, 0.0]] * 2), "transform").shape == (2, 5_000_000)
    with pytest.raises(BadInput) as caught:
        runtime.compute(rows(runtime, [[0.0, 0.0]] * 3), "transform")
    assert str(caught.value) == ("output: has 5000000 numbers an instance; at most 10000000 are answered to a request")


def test_a_value_error_of_the_estimator_is_refused_by_model_and_chained(serve: Serve) -> None:
    runtime = serve(Answers(ValueError("Found unknown categories")))

    with pytest.raises(RefusedByModel) as caught:
        runtime.predict(rows(runtime, [[1, 2]]))

    assert isinstance(caught.value.__cause__, ValueError)
    assert str(caught.value) == "The model cannot predict these values"


@pytest.mark.parametrize("answer", [float("nan"), float("inf"), float("-inf")])
def test_an_answer_that_is_no_finite_number_is_refused_by_model(serve: Serve, answer: float) -> None:
    runtime = serve(Answers(answer))

    with pytest.raises(RefusedByModel):
        runtime.predict(rows(runtime, [[1, 2]]))


@pytest.mark.parametrize("fault", [KeyError("x"), RuntimeError("x"), MemoryError()])
def test_another_error_of_the_estimator_is_a_fault_of_the_model(serve: Serve, fault: Exception) -> None:
    runtime = serve(Answers(fault))

    with pytest.raises(type(fault)):
        runtime.predict(rows(runtime, [[1, 2]]))


def test_a_category_that_an_encoder_does_not_know_is_refused_by_its_column_s_name(serve: Serve) -> None:
    runtime = serve(models.model("columns and logistic regression").artifact)

    with pytest.raises(BadInput, match=r"^0\.city: is not a value that the model knows$"):
        rows(runtime, [{"age": 30, "city": "Atlantis", "income": 1}])
