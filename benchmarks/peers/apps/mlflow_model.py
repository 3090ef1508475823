"""Saves the artifact as a model folder of MLflow, run by its own Python: the artifact, then the folder."""

# Where types are checked it is not installed.
# mypy: disable-error-code="import-not-found"

import sys

import joblib
import mlflow.sklearn
import numpy as np
from mlflow.models import infer_signature

if __name__ == "__main__":
    artifact, folder = sys.argv[1:]
    model = joblib.load(artifact)
    example = np.array(["a warm and funny film"])
    mlflow.sklearn.save_model(
        model, folder, signature=infer_signature(example, model.predict(example)), input_example=example,
        serialization_format="cloudpickle",
    )  # fmt: skip
