"""What a candidate must show, and that only the very one that was proven is taken."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from app import renewal
from app.errors import ModelNotReady, Refusal
from app.model_store import ModelStore
from app.processes.throwaway import answer_apart
from app.renewal import adopt, identity
from app.runtimes import load_runtime
from app.settings import Settings
from tests.server.estimators import Sleeper, Unpickled, start_thread

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
    return ModelStore(load_runtime(str(uri), pin=None, max_bytes=2**30))


def dumped(model: Any, path: Path) -> Path:
    joblib.dump(model, path)
    return path


def refusal(call: Callable[[], object]) -> Refusal:
    with pytest.raises(ModelNotReady) as refused:
        call()
    return refused.value.refusal


def prove_apart(settings: Settings, served: ModelStore) -> str:
    """As at a reload, in a fork, which has one thread."""
    work = partial(renewal.prove, settings, served)
    return answer_apart(work, seconds=30, max_memory_bytes=None, attend=lambda: None)


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

    assert proven.startswith(served.version)
    assert served.version != former


@pytest.mark.parametrize(
    ("model", "refused"),
    [
        (LinearRegression().fit(ROWS, [0.0, 1.0]), Refusal.SCHEMA),
        (LogisticRegression().fit([[0.0], [1.0]], ["low", "high"]), Refusal.SCHEMA),
        ("no estimator", Refusal.UNUSABLE),
        (Unpickled(start_thread), Refusal.THREADS),
    ],
    ids=["task", "columns", "no_model", "threads"],
)
def test_what_could_not_take_the_place_of_the_served_model_is_refused(
    settings: MakeSettings, served: ModelStore, uri: Path, model: Any, refused: Refusal
) -> None:
    dumped(model, uri)

    assert refusal(lambda: prove_apart(settings(), served)) is refused


def test_any_inputs_are_taken_where_no_model_is_served(settings: MakeSettings) -> None:
    store = ModelStore(None)

    adopt(settings(), store, prove_apart(settings(), store))

    assert store.loaded


def test_a_model_slower_than_a_request_may_take_is_refused(settings: MakeSettings, uri: Path, tmp_path: Path) -> None:
    dumped(Sleeper().fit(), uri)
    manifest = {
        "sha256": identity(load_runtime(str(uri), pin=None, max_bytes=2**30).metadata).partition(":")[0],
        "inputs": {"kind": "table", "columns": [{"name": "x0", "kind": "number", "nullable": False}]},
    }
    manifest["inputs"]["example"] = {"x0": 1.1}  # type: ignore[index]
    uri.with_suffix(".manifest.json").write_text(json.dumps(manifest))

    slow = settings(FORKCAST_REQUEST_TIMEOUT_SECONDS=1, FORKCAST_EXECUTION="inline")

    assert refusal(lambda: prove_apart(slow, ModelStore(None))) is Refusal.SLOW


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
    former = served.current
    dumped(another(["low", "high"]), uri)
    proven = prove_apart(settings(), served)
    dumped(another(["low", "higher"]), uri)

    assert refusal(lambda: adopt(settings(), served, proven)) is Refusal.UNPINNED
    assert served.current is former


def test_a_manifest_that_was_changed_since_the_proof_is_not_adopted(
    settings: MakeSettings, served: ModelStore, uri: Path
) -> None:
    former = served.current
    dumped(another(["low", "high"]), uri)
    proven = prove_apart(settings(), served)
    columns = [{"name": name, "kind": "number", "nullable": False} for name in ("x0", "x1")]
    inputs = {"kind": "table", "columns": columns, "example": {"x0": 0, "x1": 0}}
    manifest = {"sha256": proven.partition(":")[0], "version": "another", "inputs": inputs}
    uri.with_suffix(".manifest.json").write_text(json.dumps(manifest))

    assert refusal(lambda: adopt(settings(), served, proven)) is Refusal.CORRUPT
    assert served.current is former


def test_the_very_bytes_that_are_served_are_not_loaded_again(
    settings: MakeSettings, served: ModelStore, uri: Path
) -> None:
    former, proven = served.current, prove_apart(settings(), served)
    uri.unlink()

    adopt(settings(), served, proven)

    assert served.current is former


def test_where_the_application_cannot_be_made_the_former_model_is_held(
    settings: MakeSettings, served: ModelStore, uri: Path, tmp_path: Path
) -> None:
    former = served.current
    dumped(another(["low", "high"]), uri)
    terms = tmp_path / "terms"
    terms.write_text("term")
    filtering = settings(FORKCAST_CONTENT_FILTER="all", FORKCAST_BLOCKED_TERMS_FILE=terms)
    proven = prove_apart(filtering, served)
    terms.unlink()

    assert refusal(lambda: adopt(filtering, served, proven)) is Refusal.TERMS
    assert served.current is former
