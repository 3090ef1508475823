"""How many bytes a body may have."""

from dataclasses import dataclass

from app.background import queues


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Of a request whose answer is waited for, and of one that is only queued."""

    answered: int
    queued: int

    @property
    def least(self) -> int:
        """What is no longer than this fits, wherever it goes."""
        return min(self.answered, self.queued)

    def of(self, path: str) -> int:
        return self.queued if queues(path) else self.answered
