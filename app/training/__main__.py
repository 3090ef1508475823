"""`make train`: a model of the user's own CSV file."""

import argparse
import sys
from pathlib import Path
from typing import Any

from app.settings import ROOT
from app.training.csv_file import TrainingRefused
from app.training.dataset import read_dataset
from app.training.pipelines import fitted
from app.training.release import release
from app.training.report import held_out_report


def train(data: Path, *, target: str | None, out: Path, name: str, example: Any = None) -> None:
    """Judge on held-out rows, then train on all of them, and write the artifact with its manifest."""
    dataset = read_dataset(data, target)
    report = held_out_report(dataset)
    if dataset.left_out:
        print(f"{dataset.left_out} rows have no target and are left out")
    print("\n".join(report.lines()))
    metadata = release(fitted(dataset), dataset, report, name=name, out=out, example=example)
    print(f"trained on all {len(dataset.target)} rows: {out}, version {metadata.version}")


def main() -> int:
    options = _options()
    out, name = options.out, options.out.stem
    try:
        train(options.data, target=options.target or None, out=out, name=name)
    except TrainingRefused as error:
        print(f"not trained: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"not trained: {out} cannot be written: {error.strerror or error}", file=sys.stderr)
        return 1
    print(f"serve it: MODEL_URI={out} make serve")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m app.training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="CSV file with a header")
    parser.add_argument("--target", help="column to predict; without it the columns are text and label")
    parser.add_argument("--out", type=Path, help="artifact to write; default: var/models/NAME.joblib")
    options = parser.parse_args()
    options.out = options.out or ROOT / "var/models" / f"{options.data.stem}.joblib"
    if options.out.suffix != ".joblib":
        parser.error("OUT must end in .joblib")
    return options


if __name__ == "__main__":
    sys.exit(main())
