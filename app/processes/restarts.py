"""Which forks replace a worker that ended before its time; counted in the scoreboard's header."""

from collections import Counter

from app.processes.scoreboard import Role, Scoreboard


class Restarts:
    """
    For the arbiter, which tells of each end, each change of the number of workers, and each fork.

    The first workers of a generation replace nobody, nor do those of a TTIN; who leaves at a HUP or a TTOU is not
    replaced by one of its own generation.
    """

    def __init__(self, scoreboard: Scoreboard) -> None:
        self._scoreboard = scoreboard
        self._vacant: Counter[tuple[int, Role]] = Counter()

    def ended(self, role: Role, generation: int) -> None:
        """A worker has, and its slot is free."""
        self._vacant[generation, role] += 1
        self.resized()

    def resized(self) -> None:
        """A vacancy is no more than what is missing."""
        for generation, role in self._vacant:
            self._vacant[generation, role] = min(self._vacant[generation, role], self.missing(role))

    def forked(self, role: Role) -> None:
        """A worker of the present generation is about to be; it has no slot yet."""
        header = self._scoreboard.header
        if not self._vacant[header.generation, role]:
            return
        self._vacant[header.generation, role] -= 1
        if role is Role.SERVE:
            header.serve_restarts += 1
        elif role is Role.OPS:
            header.ops_restarts += 1
        else:
            header.consume_restarts += 1

    def missing(self, role: Role) -> int:
        """Workers that there should be, and are not."""
        return max(0, self._scoreboard.header.wanted_in(role) - self._scoreboard.count(role))
