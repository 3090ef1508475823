"""
Every failure that crosses a module boundary.

ForkcastError
├── BadInput            the caller can fix it; `problems` names each field
├── RefusedByModel      values of the right form that this model cannot predict
├── BodyTooLarge        a body without a declared length went on beyond the limit
├── ContentRejected     the content filter said no
├── ModelNotReady       no model is loaded, or this one cannot be
├── Overloaded          shed before any work was done
├── DeadlineExceeded    too late for its caller before it was predicted
├── CallerLeft          nobody waits for the answer any more
├── UnknownModel        there is no model of that name, or not in that version
├── NoApiKey            the caller has shown no key, or none that there is
├── Forbidden           the caller's key is not for this, or it takes one
├── ModelNotChanged     a model is neither loaded nor unloaded, for a reason that its caller is told
├── ControlBusy         another model is loaded or unloaded just now
├── NoTensor            what the model answers is no array of numbers or texts
├── InferenceFailed     the runtime raised; the cause is chained
├── FeaturesUnavailable the feature store did not answer in time, or not as it should
├── UnknownEntity       the feature store has nothing of what the caller names
├── NotLogged           predicted, and not answered: there was no room in the prediction log in time
├── JobsUnavailable     the store of background jobs did not answer in time
├── QueueFull           as many background jobs wait as may
├── JobTooLarge         the store of background jobs never takes so large a body or result
├── IdempotencyKeyReused  the key came before, with another request
└── UnknownJob          there is no such background job, or none of this caller's

Status codes live in `app.api.error_responses`; nothing here knows about HTTP.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class Refusal(IntEnum):
    """Why a model is not taken: a closed set, for counters and for whoever looks at the last reload."""

    NONE = 0
    MISSING = 1
    """There is no such file, or it cannot be read."""
    UNTRUSTED = 2
    """Others could replace the file, or it holds types that nobody has named as trusted."""
    UNPINNED = 3
    """Not the bytes that the pin names, or a pin that names none."""
    CORRUPT = 4
    """Bytes that cannot be loaded, or a manifest that is none or of other bytes."""
    UNUSABLE = 5
    """A model that cannot be served here: its format, its libraries, what it is."""
    SCHEMA = 6
    """Another task, or other inputs, than the model that is served."""
    GOLDENS = 7
    """It answers otherwise than when it was trained."""
    SLOW = 8
    """It was not proven in time, or predicts its example more slowly than a request may take."""
    MEMORY = 9
    """It needs more memory than allowed."""
    CRASHED = 10
    """The process that proved it ended before its answer."""
    TERMS = 11
    """The blocked terms or the API keys cannot be read, or the prediction log has no place."""
    ABANDONED = 12
    """The server was told to stop meanwhile."""
    FAULT = 13
    """A fault of Forkcast."""

    @property
    def outcome(self) -> str:
        """Of a reload; NONE is a success."""
        return "succeeded" if self is Refusal.NONE else self.name.lower()


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

    def __init__(self, reason: str, refusal: Refusal = Refusal.UNUSABLE) -> None:
        self.reason = " ".join(reason.split())
        self.refusal = refusal
        super().__init__("No model is ready")


class Overloaded(ForkcastError):
    """Refused at once: this worker holds as many requests as it may, or more than it can answer in time."""

    def __init__(self, held: int) -> None:
        super().__init__(f"This worker already holds {held} requests")


class DeadlineExceeded(ForkcastError):
    def __init__(self) -> None:
        super().__init__("The request could not be answered before its deadline")


class CallerLeft(ForkcastError):
    def __init__(self) -> None:
        super().__init__("The client closed its connection")


class UnknownModel(ForkcastError):
    def __init__(self, *, version: bool) -> None:
        super().__init__("The model has no such version" if version else "There is no such model")


class NoApiKey(ForkcastError):
    def __init__(self) -> None:
        super().__init__("An API key is needed, as Authorization: Bearer or X-API-Key")


class Forbidden(ForkcastError):
    def __init__(self, scope: str) -> None:
        super().__init__(f"This takes an API key with the scope {scope}")


class ModelNotChanged(ForkcastError):
    """`reason` names no path."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The models are as they were: {reason}")


class ControlBusy(ForkcastError):
    def __init__(self) -> None:
        super().__init__("A reload, or another load or unload, is under way")


class NoTensor(ForkcastError):
    def __init__(self) -> None:
        super().__init__("What this model answers is no tensor; ask /predict_batch for it")


class InferenceFailed(ForkcastError):
    def __init__(self) -> None:
        super().__init__("The model failed to predict")


class FeaturesUnavailable(ForkcastError):
    def __init__(self) -> None:
        super().__init__("The feature store has no usable answer")


class UnknownEntity(ForkcastError):
    """`fields` are those of the request whose entities are unknown; what stands in them is not repeated."""

    def __init__(self, fields: Sequence[str]) -> None:
        self.problems = tuple(Problem(field, "is not known to the feature store") for field in fields)
        super().__init__("; ".join(f"{problem.field}: {problem.reason}" for problem in self.problems))


class NotLogged(ForkcastError):
    def __init__(self) -> None:
        super().__init__("The prediction could not be logged in time, and is not answered unlogged")


class JobsUnavailable(ForkcastError):
    def __init__(self) -> None:
        super().__init__("The queue of background jobs cannot be reached")


class JobTooLarge(ForkcastError):
    def __init__(self) -> None:
        super().__init__("The body is larger than the queue of background jobs takes")


class QueueFull(ForkcastError):
    def __init__(self, most: int) -> None:
        super().__init__(f"Already {most} background jobs wait")


class IdempotencyKeyReused(ForkcastError):
    def __init__(self) -> None:
        super().__init__("The header Idempotency-Key came before with another request")


class UnknownJob(ForkcastError):
    def __init__(self) -> None:
        super().__init__("There is no such job")
