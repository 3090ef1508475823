"""What is chosen from, and that a choice is a configuration."""

import pytest

from app.environment import load_settings
from benchmarks.tuning.candidates import Candidate, by_default, candidates, numbers_of_workers


@pytest.mark.parametrize("cores", [1, 2, 3, 16])
@pytest.mark.parametrize("accelerated", [True, False])
def test_no_candidate_is_there_twice_and_what_is_served_by_default_is_one(cores: int, accelerated: bool) -> None:
    every = candidates(cores, accelerated=accelerated)

    assert len(set(every)) == len(every)
    assert by_default(cores) in every
    assert {1, cores, cores + 1} <= {each.workers for each in every}


def test_so_many_workers_as_memory_allows_are_among_the_candidates_within_a_factor_of_two() -> None:
    assert numbers_of_workers(1) == [1, 2]
    assert numbers_of_workers(2) == [1, 2, 3]
    assert numbers_of_workers(12) == [1, 2, 4, 8, 12, 13]
    assert numbers_of_workers(16) == [1, 2, 4, 8, 16, 17]


def test_acceleration_is_a_choice_only_where_the_model_has_one() -> None:
    with_it, without = (candidates(4, accelerated=accelerated) for accelerated in (True, False))

    assert {each.acceleration for each in with_it} == {"auto", "off"}
    assert {each.acceleration for each in without} == {"auto"}
    assert len(with_it) == 2 * len(without)


def test_nothing_set_is_what_is_served_by_default() -> None:
    settings = load_settings()

    default = by_default(2)

    served = (settings.execution, settings.threads, settings.max_batch_size, settings.acceleration)
    assert served == (default.execution, default.threads, default.max_batch_size, default.acceleration)


def test_the_server_that_is_measured_gets_the_settings_of_the_candidate() -> None:
    scenario = Candidate(3, "threads", 2, acceleration="off").scenario(rows=4, connections=8)

    assert (scenario.technique, scenario.workers, scenario.threads) == ("threads", 3, 2)
    assert (scenario.acceleration, scenario.rows, scenario.connections) == ("off", 4, 8)
    assert Candidate(3, "microbatch", max_batch_size=16).scenario(rows=1, connections=1).settings == (
        ("FORKCAST_MAX_BATCH_SIZE", "16"),
    )
