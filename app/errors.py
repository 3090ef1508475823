"""
Every failure that crosses a module boundary.

ForkcastError
├── BadInput            the caller can fix it; `problems` names each field
├── RefusedByModel      values of the right form that this model cannot predict
├── BodyTooLarge        a body without a declared length went on beyond the limit
├── ContentRejected     the content filter said no
├── ModelNotReady       no model is loaded, or this one cannot be
├── Overloaded          shed before any work was done
└── InferenceFailed     the runtime raised; the cause is chained

Status codes live in `app.api.error_responses`; nothing here knows about HTTP.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class ForkcastError(Exception):
    """Base class; `str(error)` is safe to show to a client: it holds no input, no path, no traceback."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field, for example `instances[3].age` and `must be a number`."""

    field: str
    reason: str


class BadInput(ForkcastError):
    """Holds at most `MOST_PROBLEMS` problems: a caller with a million wrong rows learns enough from the first."""

    MOST_PROBLEMS = 20

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems[: self.MOST_PROBLEMS])
        super().__init__("; ".join(f"{problem.field}: {problem.reason}" for problem in self.problems))


class RefusedByModel(ForkcastError):
    """
    The estimator raised ValueError or TypeError for one request alone, or had no finite answer.

    Each worker has predicted the model's example before it is ready, so the values are at fault, not the model.
    """

    def __init__(self) -> None:
        super().__init__("The model cannot predict these values")


class BodyTooLarge(ForkcastError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"The body has more than {limit} bytes")


class ContentRejected(ForkcastError):
    def __init__(self, index: int) -> None:
        super().__init__(f"Text {index} has inappropriate content")


class ModelNotReady(ForkcastError):
    """`reason`, one line, goes to the log; a client learns only that there is no model: a reason may name a path."""

    def __init__(self, reason: str) -> None:
        self.reason = " ".join(reason.split())
        super().__init__("No model is ready")


class Overloaded(ForkcastError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"This worker already holds {limit} requests")


class InferenceFailed(ForkcastError):
    def __init__(self) -> None:
        super().__init__("The model failed to predict")
