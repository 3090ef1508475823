from dataclasses import asdict

from benchmarks.scenarios import BASELINE, SCENARIOS, Scenario


def differences(one: Scenario, other: Scenario) -> set[str]:
    fields = asdict(one).keys() - {"name", "question"}
    return {field for field in fields if getattr(one, field) != getattr(other, field)}


def test_each_scenario_is_one_field_away_from_the_baseline_or_from_one_that_is() -> None:
    near = [scenario for scenario in SCENARIOS if len(differences(scenario, BASELINE)) <= 1]
    far = [scenario for scenario in SCENARIOS if scenario not in near]

    assert BASELINE in near
    assert all(any(len(differences(scenario, other)) == 1 for other in near) for scenario in far)


def test_the_six_cells_are_all_there_once() -> None:
    cells = [(scenario.workers, scenario.execution) for scenario in SCENARIOS]

    assert sorted(cells) == sorted((w, mode) for w in (1, 2) for mode in ("inline", "threads", "microbatch"))
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
