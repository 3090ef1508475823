"""How many frames a client may send that bring nothing."""


class Budget:
    """
    Of frames that cost their sender less than their reader: resets, settings, pings, windows, what is for no stream.

    So many at once, and so many a second; each answer, and each frame with a part of one, brings in some more.
    """

    MOST = 1000.0
    A_SECOND = 20.0
    EARNED = 4.0

    def __init__(self, now: float) -> None:
        self.renew(now)

    def renew(self, now: float) -> None:
        self._left = self.MOST
        self._since = now

    def earn(self) -> None:
        self._left = min(self._left + self.EARNED, self.MOST)

    def spend(self, now: float) -> bool:
        """Whether it was there to be spent; `now` is in seconds."""
        self._left = min(self._left + (now - self._since) * self.A_SECOND, self.MOST) - 1
        self._since = now
        return self._left >= 0
