"""A Python function of MLflow with parameters, which are in its answers, in each type that a function may answer."""

from typing import Any

import mlflow.models
import pandas as pd
from mlflow.pyfunc import PythonModel


class Scaling(PythonModel):  # type: ignore[misc]
    # MLflow would take hints for a signature.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        values = model_input["x"] * params["factor"] * sum(params["weights"]) + params["offset"]
        values = values.round() if params["rounded"] else values
        table = pd.DataFrame({"value": values, "unit": params["unit"]})
        answers: dict[str, Any] = {
            "array": values.to_numpy(),
            "series": values,
            "table": table,
            "list": values.tolist(),
            "object": {"values": values.tolist(), "unit": params["unit"]},
            "scalar": float(values.sum()),
        }
        return answers[params["answer"]]


mlflow.models.set_model(Scaling())
