"""What users of MLflow's client have in hand for each model."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from mlflow_saved import FLATS, FLOWERS, TEXTS, VISITORS
from scipy.sparse import csr_matrix


@dataclass(frozen=True, slots=True)
class Given:
    """What `PyFuncModel.predict` takes."""

    data: Any
    params: dict[str, Any] | None = None


ROWS = FLOWERS.to_numpy()
X = pd.DataFrame({"x": [1.5, 2.25, -3.0]})
SCALING = {"factor": 2.5, "offset": 1, "rounded": True, "weights": [0.5, 0.25]}
# In the order of the corpus: the tests of a model then share its server.
GIVEN: dict[str, dict[str, Given]] = {
    "flowers": {
        "a table": Given(FLOWERS),
        "a table with an index": Given(FLOWERS.set_axis(list("abcdef"))),
        "its columns in another order": Given(FLOWERS[["leaves", "sepal", "petal"]]),
        "more columns": Given(FLOWERS.assign(colour="red")),
    },
    "flowers-proba": {"a table": Given(FLOWERS)},
    "flowers-unsigned": {"a table": Given(FLOWERS), "an array": Given(ROWS)},
    "flats": {"a table with a missing value": Given(FLATS), "nothing but missing values": Given(FLATS[1:2])},
    "visitors": {"a table": Given(VISITORS)},
    "reviews": {"a table": Given(pd.DataFrame({"review": TEXTS}))},
    "texts": {"an array": Given(np.array(TEXTS))},
    "texts-unsigned": {"an array": Given(np.array(TEXTS))},
    "array": {
        "an array": Given(ROWS),
        "a sparse matrix": Given(csr_matrix(ROWS)),
        "a table": Given(pd.DataFrame(ROWS)),
    },
    "array-unsigned": {"an array": Given(ROWS), "a table": Given(pd.DataFrame(ROWS))},
    "scaled": {
        "a table": Given(X),
        "parameters": Given(X, SCALING),
        "parameters for a table": Given(X, {"answer": "table", "unit": "km"}),
    },
}
# What MLflow reads back from CSV as it was: it reads no types from a signature there.
TABLES = {name: GIVEN[name]["a table"] for name in ("flowers", "visitors", "reviews")}
