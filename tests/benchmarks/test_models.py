"""How good the models are, and the table of it."""

import hashlib
import io
from pathlib import Path

import joblib
import pandas

from app.demo.__main__ import REVIEWS
from app.training.dataset import read_dataset
from app.training.pipelines import fitted
from app.training.report import Bin, Report
from benchmarks import tables
from benchmarks.models import judgement, run
from tests.benchmarks.made_up_results import ENVIRONMENT


def test_each_judgement_is_a_row_with_what_it_was_judged_on() -> None:
    sure = Bin(low=0.9, count=10, mean_probability=0.95, accuracy=0.8)
    report = Report(80, 20, {"accuracy": 0.75, "Brier score": 0.2}, (sure,))
    unsure = Report(80, 2_000, {"accuracy": 0.5, "Brier score": 0.25}, ())
    result = {
        "benchmark": "models",
        "environment": ENVIRONMENT,
        "judgements": [judgement("m", "held out", report), judgement("m", "others", unsure)],
    }

    text = tables.render([result])

    assert "| m | held out | 20 | 0.750 | 0.200 | 80 % of 10 |" in text
    assert "| m | others | 2,000 | 0.500 | 0.250 | none |" in text
    assert "Example CPU" in text


def test_the_model_that_is_recorded_is_the_one_that_is_judged(tmp_path: Path) -> None:
    others = pandas.read_csv(REVIEWS).head(200)
    swapped = others.assign(label=others["label"].map({"positive": "negative", "negative": "positive"}))
    swapped.to_csv(tmp_path / "others.csv", index=False)

    buffer = io.BytesIO()
    joblib.dump(fitted(read_dataset(REVIEWS, None)), buffer)
    sha256 = hashlib.sha256(buffer.getvalue()).hexdigest()

    result = run(tmp_path / "others.csv")

    [at_home, abroad, _] = [each["report"]["figures"]["accuracy"] for each in result["judgements"]]
    # It knows these rows by heart, and each has the other label.
    assert abroad < 0.05 < 0.75 < at_home
    assert result["environment"]["model"] == {"name": "sentiment", "version": sha256[:12]}
