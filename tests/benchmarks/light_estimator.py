"""A classifier without scikit-learn: processes that load it are there in a fraction of a second."""

from typing import Any

import numpy as np


class FirstColumn:
    """The larger the first column, the more probable is 1."""

    classes_ = np.array([0, 1])
    n_features_in_ = 3

    def predict_proba(self, rows: Any) -> Any:
        ones = 1 / (1 + np.exp(-np.asarray(rows)[:, 0]))
        return np.column_stack([1 - ones, ones])

    def predict(self, rows: Any) -> Any:
        return self.predict_proba(rows).argmax(axis=1)
