"""The table of how good the models are."""

from app.training.report import Bin, Report
from benchmarks import tables
from benchmarks.models import judgement
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
