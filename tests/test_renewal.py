"""What a candidate must show, and that only the very one that was proven is taken."""

import hashlib
import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from prometheus_client import REGISTRY
from sklearn.linear_model import LinearRegression, LogisticRegression

from app import renewal
from app.errors import ModelNotReady, Refusal
from app.loading import load_models
from app.model_store import Held, ModelStore
from app.parameters import Parameter
from app.processes.throwaway import answer_apart
from app.proof import Proof, Proven
from app.renewal import adopt
from app.runtimes import build_runtime, read_model
from app.runtimes.artifact import Location
from app.runtimes.base import Loading
from app.settings import Settings
from tests.runtimes import models
from tests.server.estimators import Bound, Refuser, Sleeper, Unpickled, start_thread

ROWS = [[0.0, 1.0], [1.0, 0.0]]
MakeSettings = Callable[..., Settings]


@pytest.fixture
def uri(tmp_path: Path) -> Path:
    return dumped(LogisticRegression().fit(ROWS, ["low", "high"]), tmp_path / "model.joblib")


@pytest.fixture
def settings(uri: Path) -> MakeSettings:
    def make(**others: Any) -> Settings:
        return Settings(MODEL_URI=str(uri), **others)  # type: ignore[call-arg]

    return make


@pytest.fixture
def served(uri: Path) -> ModelStore:
    return held(uri)


def held(uri: Path) -> ModelStore:
    artifact = read_model(Location(uri), Loading())
    return ModelStore.of(build_runtime(artifact, Loading()), artifact.identity)


def only(store: ModelStore) -> Held:
    (one,) = store
    return one


def dumped(model: Any, path: Path) -> Path:
    joblib.dump(model, path)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refusal(call: Callable[[], object]) -> Refusal:
    with pytest.raises(ModelNotReady) as refused:
        call()
    return refused.value.refusal


def apart(work: Callable[[], str]) -> str:
    """In a fork, which has one thread."""
    return answer_apart(work, seconds=30, max_memory_bytes=None, attend=lambda: None)


def prove_apart(settings: Settings, served: ModelStore) -> str:
    """As at a reload."""
    return apart(partial(renewal.prove, settings, served))


def another(labels: list[Any]) -> LogisticRegression:
    return LogisticRegression(C=2.0).fit(ROWS, labels)


def test_another_model_of_the_same_inputs_is_proven_and_adopted(
    settings: MakeSettings, served: ModelStore, uri: Path
) -> None:
    former = served.version
    dumped(another(["low", "high"]), uri)

    proven = prove_apart(settings(), served)
    assert served.version == former
    adopt(settings(), served, proven)

    assert served.version == Proof.from_json(proven).models[0].model.version != former
    assert served.shared
    assert only(served).current.predict(np.array(ROWS)).values


@pytest.mark.parametrize(
    ("model", "refused"),
    [
        (LinearRegression().fit(ROWS, [0.0, 1.0]), Refusal.SCHEMA),
        (LogisticRegression().fit([[0.0], [1.0]], ["low", "high"]), Refusal.SCHEMA),
        ("no estimator", Refusal.UNUSABLE),
    ],
    ids=["task", "columns", "no_model"],
)
def test_what_could_not_take_the_place_of_the_served_model_is_refused(
    settings: MakeSettings, served: ModelStore, uri: Path, model: Any, refused: Refusal
) -> None:
    dumped(model, uri)

    assert refusal(lambda: prove_apart(settings(), served)) is refused


def test_any_inputs_are_taken_where_no_model_is_served(settings: MakeSettings) -> None:
    store = ModelStore()

    adopt(settings(), store, prove_apart(settings(), store))

    assert store.loaded


def test_a_model_slower_than_a_request_may_take_is_refused(settings: MakeSettings, uri: Path, tmp_path: Path) -> None:
    dumped(Sleeper().fit(), uri)
    manifest = {
        "sha256": digest(uri),
        "inputs": {"kind": "table", "columns": [{"name": "x0", "kind": "number", "nullable": False}]},
    }
    manifest["inputs"]["example"] = {"x0": 1.1}  # type: ignore[index]
    uri.with_suffix(".manifest.json").write_text(json.dumps(manifest))

    slow = settings(FORKCAST_REQUEST_TIMEOUT_SECONDS=1, FORKCAST_EXECUTION="inline")

    assert refusal(lambda: prove_apart(slow, ModelStore())) is Refusal.SLOW


def test_blocked_terms_that_cannot_be_read_refuse_the_candidate(
    settings: MakeSettings, served: ModelStore, tmp_path: Path
) -> None:
    terms = tmp_path / "terms"
    terms.write_text("two words")
    wrong = settings(FORKCAST_CONTENT_FILTER="all", FORKCAST_BLOCKED_TERMS_FILE=terms)

    assert refusal(lambda: prove_apart(wrong, served)) is Refusal.TERMS


def test_bytes_that_were_changed_since_the_proof_are_not_adopted(
    settings: MakeSettings, served: ModelStore, uri: Path
) -> None:
    former = only(served).current
    dumped(another(["low", "high"]), uri)
    proven = prove_apart(settings(), served)
    dumped(another(["low", "higher"]), uri)

    assert refusal(lambda: adopt(settings(), served, proven)) is Refusal.CORRUPT
    assert only(served).current is former


def test_a_manifest_that_was_changed_since_the_proof_is_not_adopted(
    settings: MakeSettings, served: ModelStore, uri: Path
) -> None:
    former = only(served).current
    dumped(another(["low", "high"]), uri)
    proven = prove_apart(settings(), served)
    columns = [{"name": name, "kind": "number", "nullable": False} for name in ("x0", "x1")]
    inputs = {"kind": "table", "columns": columns, "example": {"x0": 0, "x1": 0}}
    manifest = {"sha256": digest(uri), "version": "another", "inputs": inputs}
    uri.with_suffix(".manifest.json").write_text(json.dumps(manifest))

    assert refusal(lambda: adopt(settings(), served, proven)) is Refusal.CORRUPT
    assert only(served).current is former


def test_the_very_bytes_that_are_served_are_not_loaded_again(
    settings: MakeSettings, served: ModelStore, uri: Path
) -> None:
    former, proven = only(served).current, prove_apart(settings(), served)
    uri.unlink()

    adopt(settings(), served, proven)

    assert only(served).current is former


def test_where_the_application_cannot_be_made_the_former_model_is_held(
    settings: MakeSettings, served: ModelStore, uri: Path, tmp_path: Path
) -> None:
    former = only(served).current
    dumped(another(["low", "high"]), uri)
    terms = tmp_path / "terms"
    terms.write_text("term")
    filtering = settings(FORKCAST_CONTENT_FILTER="all", FORKCAST_BLOCKED_TERMS_FILE=terms)
    proven = prove_apart(filtering, served)
    terms.unlink()

    assert refusal(lambda: adopt(filtering, served, proven)) is Refusal.TERMS
    assert only(served).current is former


UNSHAREABLE = {
    "starts_threads": (Unpickled(start_thread), "threads"),
    "is_bound_to_its_process": (Bound().fit(), "does not predict in a fork"),
}


@pytest.mark.parametrize("name", UNSHAREABLE)
def test_what_a_fork_cannot_serve_is_held_and_each_process_builds_its_own(
    settings: MakeSettings, uri: Path, name: str
) -> None:
    model, reason = UNSHAREABLE[name]
    dumped(model, uri)
    store, threads = ModelStore(), set(threading.enumerate())

    proven = prove_apart(settings(), store)
    adopt(settings(), store, proven)
    # Not even the file is asked again.
    uri.unlink()

    assert reason in Proof.from_json(proven).not_shared
    assert (store.shared, store.loaded) == (False, False)
    assert set(threading.enumerate()) <= threads
    assert only(store).metadata == Proof.from_json(proven).models[0].model
    assert built_and_asked_apart(store) == store.version


def test_the_proven_version_is_adopted_though_a_newer_one_is_there_by_now(tmp_path: Path, uri: Path) -> None:
    versions = [tmp_path / "models" / "churn" / number for number in ("1", "2")]
    for version in versions:
        version.mkdir(parents=True)
    shutil.copy(uri, versions[0] / "model.joblib")
    found, store = Settings(MODEL_REPOSITORY=str(tmp_path / "models")), ModelStore()  # type: ignore[call-arg]
    versions[1].rename(hidden := versions[1].with_name(".2"))
    proven = prove_apart(found, store)
    dumped(another(["low", "high"]), hidden / "model.joblib")
    hidden.rename(versions[1])

    adopt(found, store, proven)

    assert (only(store).metadata.name, store.version) == ("churn", "1")


def test_what_either_of_two_stores_of_one_model_builds_both_have(settings: MakeSettings, served: ModelStore) -> None:
    off = settings(FORKCAST_PRELOAD="off")
    adopt(off, served, prove_apart(off, served))
    other = ModelStore()
    other.become(served)

    other.build()

    assert served.shared
    assert only(served).current is only(other).current


def test_what_predicts_nowhere_is_refused(settings: MakeSettings, uri: Path) -> None:
    dumped(Refuser().fit(), uri)

    assert refusal(lambda: prove_apart(settings(), ModelStore())) is Refusal.UNUSABLE


def test_no_model_is_shared_where_the_settings_say_so(settings: MakeSettings, served: ModelStore) -> None:
    off = settings(FORKCAST_PRELOAD="off")

    adopt(off, served, prove_apart(off, served))

    assert (served.shared, served.loaded) == (False, False)


def test_a_model_that_can_be_shared_again_is(settings: MakeSettings, served: ModelStore) -> None:
    off = settings(FORKCAST_PRELOAD="off")
    adopt(off, served, prove_apart(off, served))

    adopt(settings(), served, prove_apart(settings(), served))

    assert (served.shared, served.loaded) == (True, True)


def test_inputs_are_compared_with_those_of_a_model_that_is_not_shared(
    settings: MakeSettings, served: ModelStore, uri: Path
) -> None:
    off = settings(FORKCAST_PRELOAD="off")
    adopt(off, served, prove_apart(off, served))
    dumped(LogisticRegression().fit([[0.0], [1.0]], ["low", "high"]), uri)

    assert refusal(lambda: prove_apart(off, served)) is Refusal.SCHEMA


def test_a_proof_says_the_same_after_its_way_through_a_pipe(
    settings: MakeSettings, served: ModelStore, uri: Path
) -> None:
    proof = Proof.from_json(prove_apart(settings(), ModelStore()))

    held = only(served)
    assert proof == Proof((Proven(held.identity, Location(uri), held.current.metadata),), "")
    assert Proof.from_json(proof.to_json()) == proof


@pytest.mark.parametrize("name", ["forest of two labels", "forest of float classes", "columns and a forest"])
def test_a_proof_tells_of_any_model_what_the_model_says_of_itself(tmp_path: Path, name: str) -> None:
    joblib.dump(models.model(name).artifact, tmp_path / "churn.joblib")
    loaded = only(held(tmp_path / "churn.joblib"))

    parameters = (Parameter("factor", "double"), Parameter("weights", "long", listed=True))
    metadata = replace(loaded.metadata, parameters=parameters, scored="transform")

    proof = Proof((Proven(loaded.identity, Location(tmp_path / "churn.joblib"), metadata),), "")

    assert Proof.from_json(proof.to_json()) == proof


def built_and_asked_apart(store: ModelStore) -> str:
    """The version of the model that has predicted there."""

    def work() -> str:
        store.build()
        runtime = only(store).current
        runtime.predict(runtime.metadata.inputs.block([runtime.metadata.inputs.example], str))
        return runtime.metadata.version

    return apart(work)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two models, the first in two versions."""
    for name, version, classes in (("churn", "1", "ab"), ("churn", "2", "cd"), ("fraud", "7", "ef")):
        add(tmp_path / "models", name, version, another(list(classes)))
    return tmp_path / "models"


def add(repository: Path, name: str, version: str, model: Any) -> Path:
    folder = repository / name / version
    folder.mkdir(parents=True)
    return dumped(model, folder / "model.joblib")


def of(repository: Path, **others: Any) -> Settings:
    return Settings(MODEL_REPOSITORY=str(repository), **others)  # type: ignore[call-arg]


def adopted(settings: Settings, store: ModelStore) -> ModelStore:
    adopt(settings, store, prove_apart(settings, store))
    return store


def told(store: ModelStore) -> list[str]:
    return [f"{held.metadata.name} {held.metadata.version}" for held in store]


def test_each_model_of_a_repository_is_held_in_its_newest_versions(repository: Path) -> None:
    store = adopted(of(repository), ModelStore())

    assert told(store) == ["churn 2", "churn 1", "fraud 7"]
    assert [held.metadata.version for held in store.newest] == ["2", "7"]
    assert (store.default, store.version) == (None, "churn=2 fraud=7")
    assert told(adopted(of(repository, FORKCAST_MODEL_VERSIONS=1), ModelStore())) == ["churn 2", "fraud 7"]


def test_a_reload_loads_only_what_is_not_held_already(repository: Path) -> None:
    store = adopted(of(repository), ModelStore())
    former = {f"{held.metadata.name} {held.metadata.version}": held.current for held in store}
    add(repository, "fraud", "8", another(["e", "f"]))

    adopted(of(repository), store)

    assert told(store) == ["churn 2", "churn 1", "fraud 8", "fraud 7"]
    kept = [held.current is former.get(f"{held.metadata.name} {held.metadata.version}") for held in store]
    assert kept == [True, True, False, True]


@pytest.mark.parametrize(
    ("name", "model", "refused"),
    [
        ("fraud", LinearRegression().fit(ROWS, [0.0, 1.0]), Refusal.SCHEMA),
        ("churn", LogisticRegression().fit([[0.0], [1.0]], ["low", "high"]), Refusal.SCHEMA),
        ("third", "no estimator", Refusal.UNUSABLE),
    ],
)
def test_one_bad_model_of_several_refuses_them_all(repository: Path, name: str, model: Any, refused: Refusal) -> None:
    store = adopted(of(repository), ModelStore())
    add(repository, name, "9", model)
    add(repository, "other", "1", another(["g", "h"]))

    assert refusal(lambda: adopted(of(repository), store)) is refused
    assert told(store) == ["churn 2", "churn 1", "fraud 7"]


def test_an_older_version_that_cannot_be_loaded_stops_nothing(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (repository / "churn" / "1" / "model.joblib").write_bytes(b"cut")
    pinned = of(repository, FORKCAST_MODEL_VERSIONS=1)

    assert told(load_models(of(repository))) == told(adopted(of(repository), ModelStore())) == ["churn 2", "fraud 7"]
    assert "older version not loaded" in caplog.text
    (repository / "churn" / "2" / "model.joblib").write_bytes(b"cut")
    assert refusal(lambda: load_models(pinned)) is Refusal.CORRUPT


def refusing_its_goldens(path: Path) -> None:
    golden = {"instance": ROWS[0], "value": "another", "probabilities": None}
    columns = [{"name": name, "kind": "number", "nullable": False} for name in ("x0", "x1")]
    inputs = {"kind": "table", "columns": columns, "example": {"x0": 0, "x1": 0}}
    told = {"sha256": digest(path), "inputs": inputs, "goldens": [golden]}
    path.with_suffix(".manifest.json").write_text(json.dumps(told))


def refusing_its_example(path: Path) -> None:
    dumped(Refuser().fit(), path)


@pytest.mark.parametrize("spoil", [refusing_its_goldens, refusing_its_example])
@pytest.mark.parametrize("preload", ["auto", "off"])
def test_an_older_version_that_cannot_be_warmed_up_is_passed_over_and_the_newest_is_not(
    repository: Path, spoil: Callable[[Path], None], preload: str
) -> None:
    spoil(repository / "churn" / "1" / "model.joblib")
    found = of(repository, FORKCAST_PRELOAD=preload)

    store = adopted(found, ModelStore())

    assert (told(store), store.shared) == (["churn 2", "fraud 7"], preload == "auto")
    newest = load_models(of(repository, FORKCAST_MODEL_VERSIONS=1))
    assert apart(partial(renewal.why_first_not_shared, found, load_models(found))) != ""
    assert apart(partial(renewal.why_first_not_shared, found, newest)) == ""
    spoil(repository / "churn" / "2" / "model.joblib")
    assert refusal(lambda: adopted(found, ModelStore())) in (Refusal.GOLDENS, Refusal.UNUSABLE)


def told_of_models() -> list[Any]:
    return next(list(metric.samples) for metric in REGISTRY.collect() if metric.name == "forkcast_model_info")


def test_a_proof_tells_no_metrics(repository: Path) -> None:
    before = told_of_models()

    renewal.prove(of(repository), ModelStore())

    assert told_of_models() == before


def test_models_come_and_go_with_a_reload(repository: Path) -> None:
    store = adopted(of(repository), ModelStore())
    add(repository, "other", "1", LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]))
    shutil.rmtree(repository / "churn")

    assert told(adopted(of(repository), store)) == ["fraud 7", "other 1"]


def test_models_that_are_not_shared_are_all_built_by_each_process(repository: Path) -> None:
    store = adopted(of(repository, FORKCAST_PRELOAD="off"), ModelStore())

    assert (store.shared, store.loaded) == (False, False)
    assert built_apart(store) == "churn 2, churn 1, fraud 7"


def built_apart(store: ModelStore) -> str:
    def work() -> str:
        store.build()
        return ", ".join(f"{held.current.metadata.name} {held.current.metadata.version}" for held in store)

    return apart(work)


def test_the_version_of_many_models_is_short_and_changes_with_each_of_them(repository: Path) -> None:
    for name in ("an_insurance", "a_third"):
        add(repository, name, "1", another(["a", "b"]))
    store = adopted(of(repository), ModelStore())
    former = store.version
    add(repository, "a_third", "2", another(["a", "b"]))

    adopted(of(repository), store)

    assert len(former) == len(store.version) == 12
    assert former != store.version
