"""What adds up the leaves of an ensemble's trees, and by which library."""

from typing import Any, Protocol

import structlog

from app.instances import Array

log = structlog.stdlib.get_logger("forkcast")

# Treelite is called in 5 to 20 microseconds less; onnxruntime is the faster from 4 rows of 10 trees on, or one of 50.
FEWEST_TREES = 10


class TreeSums(Protocol):
    """
    For each row of features the sum (of a forest: the mean) of its leaves, one number an output.

    `features` are (rows, `inputs`) of float64. The answer is (rows, outputs), to the bit as scikit-learn adds, but for
    the first of a forest's two classes, which may be 1 less the second where that does not decide which of the two is
    the larger. It only reads the model, outside the interpreter's lock and without threads of its own.
    """

    @property
    def name(self) -> str: ...

    @property
    def inputs(self) -> int: ...

    def __call__(self, features: Array) -> Array: ...


def sums_of(trees: Any) -> TreeSums:
    """By onnxruntime where it works here and has such trees, else by Treelite; nothing else imports the two."""
    found = _by_onnxruntime(trees) if _count(trees) >= FEWEST_TREES else None
    if found is not None:
        return found
    from app.runtimes.acceleration import treelite_sums

    return treelite_sums.sums_of(trees)


def _by_onnxruntime(trees: Any) -> TreeSums | None:
    try:
        from app.runtimes.acceleration import onnxruntime_sums

        return onnxruntime_sums.sums_of(trees)
    except ModuleNotFoundError:
        return None
    except Exception as error:
        # A library that does not suit this host, or too little memory: Treelite takes less of it.
        log.warning("trees not added up by onnxruntime", exc_info=error)
        return None


def _count(trees: Any) -> int:
    """How many are added up to a number."""
    return len(getattr(trees, "_predictors", getattr(trees, "estimators_", [trees])))
