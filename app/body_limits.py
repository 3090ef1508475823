"""How many bytes a body may have."""

from dataclasses import dataclass

from app.background import queues


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Of a request whose answer is waited for, and of one that is only queued."""

    answered: int
    queued: int

    def of(self, path: str) -> int:
        return self.queued if queues(path) else self.answered
