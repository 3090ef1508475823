"""Which requests are predicted without being held for others to join them."""

import asyncio

from app.cost import CostCurve
from app.runtimes.base import Runtime

# What holding a request back costs at least, on a fast core; a row must be cheaper by more in the company of so many.
HOLDING_SECONDS = 0.00004
COMPANY = 16
# A request that costs more is held, so that those read in the same turn of the loop share it.
AT_ONCE_SECONDS = 0.001
# After so many requests in a row that were held for nobody, so many are not held.
LONG_ALONE = 16
UNTIL_NEXT_LOOK = 32


def rows_at_once(curve: CostCurve, most_rows: int, most_seconds: float) -> int:
    """
    The rows of a request that is not worth holding for others to join it, by what a row costs in company; 0 for none.

    A request that is held costs a future and a turn of the loop more.
    """
    company = min(COMPANY, most_rows)
    gain = curve.seconds(1) - curve.seconds(company) / company
    return rows_affordable(curve, most_seconds) if gain < HOLDING_SECONDS else 0


def rows_affordable(curve: CostCurve, most_seconds: float) -> int:
    """The rows of a request that is cheap enough to let those behind it wait; 0 for none."""
    return curve.rows_within(most_seconds) if curve.seconds(1) < most_seconds else 0


class AtOnce:
    """
    Admits a request whose rows cost as much together as alone, as long as those of one turn of the loop stay within the
    budget; and other cheap ones, some at a time, after many that were held and that nobody joined.

    Two clients that are answered in turn are never seen in one turn of the loop: to find that each is the other's
    company one request is held every now and then.
    """

    def __init__(self, budget_seconds: float, at_once_seconds: float) -> None:
        self._budget_seconds = budget_seconds
        self._at_once_seconds = at_once_seconds
        self._rows_without_gain: dict[Runtime, int] = {}
        self._rows_affordable: dict[Runtime, int] = {}
        # In this turn of the loop.
        self._spent_seconds = 0.0
        # Requests that were held for nobody, one after the other, and those that are not to be held therefore.
        self._alone = 0
        self._unheld = 0

    def learn(self, runtime: Runtime, curve: CostCurve, most_rows: int) -> None:
        self._rows_without_gain[runtime] = rows_at_once(curve, most_rows, self._at_once_seconds)
        self._rows_affordable[runtime] = rows_affordable(curve, self._at_once_seconds)

    def admits(self, runtime: Runtime, rows: int) -> bool:
        if self._spent_seconds >= self._budget_seconds:
            return False
        if rows <= self._rows_without_gain[runtime]:
            return True
        if self._spent_seconds:
            self._alone = self._unheld = 0
        if not self._unheld or rows > self._rows_affordable[runtime]:
            return False
        self._unheld -= 1
        return True

    def took(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        """Told of each request that was admitted."""
        if not self._spent_seconds:
            loop.call_soon(self._begin_turn)
        self._spent_seconds += seconds

    def held(self, requests: int) -> None:
        """Told of how many were predicted together of those that were not admitted."""
        self._alone = self._alone + 1 if requests == 1 else 0
        self._unheld = UNTIL_NEXT_LOOK if self._alone >= LONG_ALONE else 0

    def _begin_turn(self) -> None:
        self._spent_seconds = 0.0
