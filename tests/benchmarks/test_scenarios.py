"""What is compared differs in one field from what it is compared against."""

from collections.abc import Sequence
from dataclasses import asdict

import pytest

from app.processes.cores import usable_cores
from benchmarks.analysis.claimed import cells_of_claims
from benchmarks.bench import quickly, scenarios_of
from benchmarks.grid import full
from benchmarks.scenarios import Scenario, headline

# A pool belongs to its technique, and a rate is a share of some capacity.
TOGETHER = {"technique": "threads", "arrivals": "capacity_of"}


def changed(scenario: Scenario, against: Scenario) -> set[str]:
    fields = asdict(scenario).keys() - {"name", "question", "against"}
    different = {field for field in fields if getattr(scenario, field) != getattr(against, field)}
    return different - {TOGETHER[field] for field in different & TOGETHER.keys()}


@pytest.mark.parametrize("scenarios", [headline(2), full(1), full(2), full(16)], ids=["headline", "1", "2", "16"])
def test_each_scenario_is_one_field_away_from_what_it_is_compared_against(scenarios: Sequence[Scenario]) -> None:
    named = {scenario.name: scenario for scenario in scenarios}

    assert len(named) == len(scenarios)
    for scenario in scenarios:
        if scenario.against:
            assert len(changed(scenario, named[scenario.against])) == 1, scenario


@pytest.mark.parametrize("cores", [1, 2, 16])
def test_what_the_claims_rest_on_is_in_the_grid(cores: int) -> None:
    wanted = cells_of_claims(cores)

    assert {"text-to_thread", "forest-64-threads-8", "text-default-cached"} < wanted
    assert wanted <= {scenario.name for scenario in full(cores)}


def test_of_the_grid_only_what_the_claims_rest_on_is_measured_for_them() -> None:
    assert {each.name for each in scenarios_of("claims", None, quick=False)} == cells_of_claims(usable_cores())


@pytest.mark.parametrize("cores", [1, 2, 16])
def test_a_rate_is_a_share_of_the_capacity_of_the_same_server(cores: int) -> None:
    named = {scenario.name: scenario for scenario in full(cores)}

    scheduled = [scenario for scenario in named.values() if scenario.arrivals != "closed"]
    assert scheduled
    for scenario in scheduled:
        assert changed(scenario, named[scenario.capacity_of]) <= {"arrivals", "load"}
        assert named[scenario.capacity_of].arrivals == "closed"


def test_the_grid_varies_each_dimension() -> None:
    scenarios = full(2)

    assert {each.workers for each in scenarios} >= {1, 2, 3, 5}
    assert {each.threads for each in scenarios} >= {1, 2, 4, 8}
    assert {each.model for each in scenarios} == {"text", "forest", "boosting", "numpy", "null"}
    assert {each.rows for each in scenarios} == {1, 64, 512}
    assert {each.connections for each in scenarios} >= {1, 2, 4, 8, 16, 32, 64, 128}
    assert {each.keep_alive for each in scenarios} == {each.preload for each in scenarios} == {True, False}
    assert {each.acceleration for each in scenarios} == {"auto", "off"}
    assert {each.arrivals for each in scenarios} == {"closed", "poisson", "constant", "bursty", "search"}
    assert len({each.technique for each in scenarios}) == 12


def test_what_is_picked_by_name_brings_what_its_rate_is_a_share_of() -> None:
    picked = [each.name for each in scenarios_of("full", "text-inline-w2-poisson-0.4", quick=False)]

    assert picked == ["text-inline-w2", "text-inline-w2-poisson-0.4"]


def test_a_quick_run_shows_both_load_generators() -> None:
    quick = quickly(headline(2))

    assert {each.arrivals for each in quick} == {"closed", "poisson"}
    assert {each.keep_alive for each in quick} == {True, False}
    assert {each.capacity_of for each in quick} <= {"", *(each.name for each in quick)}
