"""The contract between who runs jobs and what is done for one of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.jobs.base import Claim


@dataclass(slots=True)
class Progress:
    """How many of a job's instances have been predicted; its work keeps it, and whoever runs it looks now and then."""

    done: int = 0
    total: int = 0


class Unworkable(Exception):
    """No other attempt would end otherwise; its words are for the job's owner."""


# Gives the body of the synchronous twin's answer, and may be cancelled wherever it waits. What it raises besides
# Unworkable is worth another attempt.
Work = Callable[[Claim, Progress], Awaitable[bytes]]
