"""What is said of a model when it is loaded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import pytest
from sklearn.linear_model import Ridge

from app.loading import load_models
from app.settings import Settings
from tests.runtimes import models

Told = dict[str, Any]
Load = Callable[[Any], Told]


@pytest.fixture
def load(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Load:
    """The one event that tells of an artifact."""

    def logged(artifact: Any) -> Told:
        joblib.dump(artifact, tmp_path / "churn.joblib")
        load_models(Settings(MODEL_URI=str(tmp_path / "churn.joblib")))  # type: ignore[call-arg]
        (event,) = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
        return event

    return logged


def test_a_loaded_text_model_says_what_it_serves(load: Load) -> None:
    event = load(models.model("tfidf and logistic regression").artifact)

    assert (event["event"], event["model"], event["runtime"]) == ("model loaded", "churn", "sklearn_joblib")
    assert (event["task"], event["inputs"], event["acceleration"]) == ("classification", "text", "linear_text")
    assert event["outputs"] == ["predict", "predict_proba", "decision_function"]
    assert list(event["classes"]) == ["bad", "good"]
    assert event["example"] == '"a warm and funny film"'


def test_a_loaded_table_model_names_its_columns_with_their_kinds(load: Load) -> None:
    event = load(models.model("columns and a forest").artifact)

    assert event["inputs"] == {"age": "numeric?", "city": "string?", "income": "numeric?"}
    assert list(event["classes"]) == ["high", "low", "middle"]


def test_a_loaded_model_of_several_labels_names_the_classes_of_each(load: Load) -> None:
    event = load(models.model("forest of two labels").artifact)

    assert [list(each) for each in event["classes"]] == [["high", "low", "middle"], ["low", "middle"]]


def test_of_a_very_wide_table_the_log_names_the_first_columns(load: Load) -> None:
    event = load(Ridge().fit([[0.0] * 300, [1.0] * 300], [0.0, 1.0]))

    assert len(event["inputs"]) == 50
    assert len(event["example"]) == 200
