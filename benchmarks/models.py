"""How good the default model is, at home and out of its domain, and what `make train` makes of another file."""

import argparse
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas

from app.demo.__main__ import REVIEWS
from app.settings import ROOT, Settings
from app.training.csv_file import TrainingRefused
from app.training.dataset import Dataset, read_dataset
from app.training.pipelines import fitted
from app.training.release import release
from app.training.report import Report, held_out_report, judged
from benchmarks import result_file
from benchmarks.environment import environment
from benchmarks.report import publish

DEFAULT = Path(Settings.model_fields["model_uri"].default)
# Sentences from film reviews that others labelled (Pang and Lee, ACL 2005); they lie beside the checkout, not in it.
OTHERS = ROOT.parent / "shared/data/rt-polarity/reviews.csv"


def run(others: Path) -> result_file.Document:
    """Each judgement is of rows that the judged model was not trained on."""
    reviews, foreign = read_dataset(REVIEWS, None), read_dataset(others, None)
    estimator, at_home = fitted(reviews), held_out_report(reviews)
    with tempfile.TemporaryDirectory() as folder:
        # The same rows give the same bytes: this is what `make model` trains, with its version.
        default = release(estimator, reviews, at_home, name=DEFAULT.stem, out=Path(folder) / DEFAULT.name)
    judgements = [
        judgement("the default model", "its own reviews, one fifth held out", at_home),
        judgement("the default model", "film reviews by others", out_of_domain(estimator, reviews, foreign)),
        judgement("`make train` on film reviews by others", "one fifth of them held out", held_out_report(foreign)),
    ]
    return {
        "benchmark": "models",
        "environment": environment(default, "none"),
        "judgements": judgements,
    }


def out_of_domain(model: Any, reviews: Dataset, foreign: Dataset) -> Report:
    """The report of a model trained on the reviews, judged on all rows of another dataset."""
    answers = pandas.Series(foreign.target).to_numpy(dtype=object)
    return judged(model.classes_, model.predict_proba(foreign.features), answers, rows_trained=len(reviews.target))


def judgement(model: str, rows: str, report: Report) -> dict[str, Any]:
    return {"model": model, "rows": rows, "report": asdict(report)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models", description=__doc__)
    parser.add_argument("--data", type=Path, default=OTHERS, help="reviews by others: a CSV file with text and label")
    options = parser.parse_args()
    if not options.data.exists():
        print("no result: the reviews by others are not there; say --data FILE.csv", file=sys.stderr)
        return 1
    try:
        document = run(options.data)
    except TrainingRefused as error:
        print(f"no result: {error}", file=sys.stderr)
        return 1
    publish(document, result_file.new_file("models"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
