"""What the libraries read in the environment when they are imported: they are to start no threads."""

import os

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS",
)  # fmt: skip


def hold_to_one() -> None:
    """One process per core is all the parallelism there is."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    # MLflow, where a model of it is served, would tell its makers of each load, from a thread.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
