"""When a process has to be gone: known to who drains it, for who has something to finish then."""

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Ending:
    """`by` is in seconds of the monotonic clock."""

    by: float = math.inf
