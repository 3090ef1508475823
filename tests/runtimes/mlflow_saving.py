"""MLflow as it is used to save models here: without its advice, which would be errors or fill the log."""

import contextlib
import logging
import warnings
from collections.abc import Iterator

ADVICE = (
    ".*Any type hint is inferred as AnyType",
    ".*An input example was not provided when logging",
    ".*Add type hints to the `predict` method",
    # Of SQLAlchemy, for how MLflow's store asks.
    "The ``noload`` loader strategy is deprecated",
    # Of pandas, for how MLflow compares an index.
    "Operation with range is deprecated",
    "Hint: Inferred schema contains integer column",
)


@contextlib.contextmanager
def quiet_mlflow() -> Iterator[None]:
    logger = logging.getLogger("mlflow")
    level = logger.level
    with warnings.catch_warnings():
        for message in ADVICE:
            warnings.filterwarnings("ignore", message)
        logger.setLevel(logging.ERROR)
        yield
    logger.setLevel(level)
