"""How a series is filled: blocks, repeated runs, what is kept when it ends early."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.failures import NotMeasurable, WrongAnswer
from benchmarks.grid import arrivals_of
from benchmarks.running import answerable, capacity, fill
from benchmarks.scenarios import Scenario, headline
from benchmarks.series import Series
from tests.benchmarks.test_series import begun

SCENARIOS = headline(2)


class Machine:
    """Stands for the machine that a run is made on: what it measures, in the order in which it is asked."""

    def __init__(self, *, void: dict[str, int] | None = None, raises: dict[str, BaseException] | None = None) -> None:
        self.asked: list[str] = []
        self.capacities: dict[str, float | None] = {}
        self._void = Counter(void or {})
        self._raises = raises or {}

    def __call__(self, scenario: Scenario, capacity: float | None) -> dict[str, Any]:
        self.asked.append(scenario.name)
        self.capacities[scenario.name] = capacity
        if scenario.name in self._raises:
            raise self._raises[scenario.name]
        disturbed = self._void[scenario.name] > 0
        self._void[scenario.name] -= disturbed
        return {
            "scenario": scenario.name,
            "started": f"{len(self.asked):04d}",
            "calibration_seconds": [0.1, 0.1],
            "steal_share": 0.5 if disturbed else 0.0,
            "requests_per_second": 100.0 + len(self.asked),
            "void": [],
        }


def filled(folder: Path, machine: Machine, scenarios: tuple[Scenario, ...] = SCENARIOS, blocks: int = 2) -> Series:
    series = begun(folder / "bench-1", scenarios)
    fill(series, scenarios, machine, blocks=blocks, attempts=3)
    return series


def test_each_block_holds_each_scenario_once_in_an_order_of_its_own(tmp_path: Path) -> None:
    machine = Machine()

    series = filled(tmp_path, machine)

    first, second = machine.asked[:6], machine.asked[6:]
    assert sorted(first) == sorted(second) == sorted(each.name for each in SCENARIOS)
    assert first != second
    assert all([run["block"] for run in series.of(each.name)] == [0, 1] for each in SCENARIOS)


def test_a_run_that_the_machine_disturbed_is_kept_and_made_again(tmp_path: Path) -> None:
    series = filled(tmp_path, Machine(void={"threads": 1}), blocks=1)

    void, valid = [run for run in series.runs if run["scenario"] == "threads"]
    assert void["void"] == ["its host gave 50 % of the time to others"]
    assert (valid["attempt"], valid["void"]) == (1, [])


def test_a_run_that_is_disturbed_each_time_is_given_up(tmp_path: Path) -> None:
    series = filled(tmp_path, Machine(void={"threads": 9}), blocks=1)

    assert len([run for run in series.runs if run["scenario"] == "threads"]) == 3
    assert series.of("threads") == []


def test_a_failure_ends_it_and_what_was_measured_before_is_kept(tmp_path: Path) -> None:
    machine = Machine(raises={"threads": WrongAnswer("negative instead of positive")})

    with pytest.raises(WrongAnswer):
        filled(tmp_path, machine)

    series = Series(tmp_path / "bench-1")
    assert machine.asked[-1] == "threads"
    assert [run["scenario"] for run in series.runs] == machine.asked[:-1]


def test_it_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        filled(tmp_path, Machine(raises={"threads": KeyboardInterrupt()}))
    series = Series(tmp_path / "bench-1")
    before = len(series.runs)

    machine = Machine()
    fill(series, SCENARIOS, machine, blocks=2, attempts=3)

    assert len(machine.asked) == 12 - before
    assert len(series.runs) == 12


def test_what_this_host_cannot_measure_is_left_out_and_not_tried_again(tmp_path: Path) -> None:
    machine = Machine(raises={"threads": NotMeasurable("nothing to ask")})

    series = filled(tmp_path, machine)

    assert machine.asked.count("threads") == 1
    assert series.left_out == {"threads": "nothing to ask"}
    assert len(series.runs) == 10


def test_a_series_is_finished_when_all_was_measured_and_not_before(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        filled(tmp_path, Machine(raises={"threads": KeyboardInterrupt()}))
    interrupted = Series(tmp_path / "bench-1")
    before = interrupted.finished

    fill(interrupted, SCENARIOS, Machine(), blocks=2, attempts=3)

    assert (before, interrupted.finished) == (False, True)


def test_what_was_left_out_is_tried_again_when_the_series_goes_on(tmp_path: Path) -> None:
    series = filled(tmp_path, Machine(raises={"threads": NotMeasurable("no such program")}), blocks=1)

    fill(series, SCENARIOS, Machine(), blocks=1, attempts=3)

    assert series.left_out == {}
    assert len(series.of("threads")) == 1


def test_a_void_run_is_made_again_only_while_there_is_time_for_what_is_planned(tmp_path: Path) -> None:
    series = begun(tmp_path / "bench-1")

    fill(series, SCENARIOS, Machine(void={"threads": 9}), blocks=1, attempts=3, seconds=0.0)

    assert len(series.made("threads")) == 1
    assert len(series.runs) == 6


@pytest.mark.parametrize(("workers", "answerable_share"), [(1, 1.0), (2, (200 + 10) / (200 + 70)), (3, 210 / 270)])
def test_our_own_generator_leaves_a_server_on_all_cores_less(workers: int, answerable_share: float) -> None:
    run = {
        "requests_per_second": 1000.0, "requests": 10_000, "server_cpu_seconds": 2.0, "generator_cpu_seconds": 0.1,
    }  # fmt: skip

    assert answerable(run, 2, workers) == pytest.approx(1000.0 * answerable_share)


def test_a_rate_is_a_share_of_what_was_measured_before_it(tmp_path: Path) -> None:
    scheduled = arrivals_of(SCENARIOS[0])
    machine = Machine()

    series = filled(tmp_path, machine, (*scheduled, *SCENARIOS), blocks=1)

    [baseline] = series.of("baseline")
    assert set(machine.asked[: len(SCENARIOS)]) == {each.name for each in SCENARIOS}
    assert [machine.capacities[each.name] for each in scheduled] == [baseline["requests_per_second"]] * len(scheduled)


def test_without_a_capacity_there_is_no_rate(tmp_path: Path) -> None:
    series = begun(tmp_path / "bench-1")

    with pytest.raises(NotMeasurable, match="baseline"):
        capacity(series, arrivals_of(SCENARIOS[0])[0])
