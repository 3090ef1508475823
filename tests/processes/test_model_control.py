"""A worker's part in loading and unloading models, beside an arbiter that writes to the scoreboard at any moment."""

from pathlib import Path

import pytest

from app.errors import ControlBusy
from app.processes.model_control import ModelControl
from app.processes.scoreboard import Header, Role, Scoreboard
from app.processes.unloaded import Unloaded


class Raced(Header):
    """The arbiter ends a reload, which has read the revision 1, as soon as a worker has looked at it once."""

    over = False

    @property
    def generation(self) -> int:
        return self._looked(Header.generation.fget(self))

    @property
    def control_seen(self) -> int:
        return self._looked(Header.control_seen.fget(self))

    def _looked(self, seen: int) -> int:
        if not self.over:
            self.over = True
            Header.control_seen.fset(self, 1)
            Header.generation.fset(self, 1)
        return seen


@pytest.mark.parametrize("revision", [1, 2])
def test_a_reload_that_ends_while_a_worker_looks_is_its_own_where_it_has_read_the_change(revision: int) -> None:
    scoreboard = Scoreboard(4)
    place = scoreboard.take(Role.SERVE, "v")
    scoreboard.header = Raced(scoreboard._memory, 0)
    control = ModelControl(scoreboard, place, Path, 1.0)

    seen = control._is_seen(Unloaded(revision))

    assert seen is (revision == 1)
    if revision == 2:
        with pytest.raises(ControlBusy):
            control._is_seen(Unloaded(revision))
