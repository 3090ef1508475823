from pathlib import Path

import pytest

from benchmarks.analysis.capacity import Host, host, need
from benchmarks.analysis.cells import Cells
from benchmarks.analysis.queueing import erlang_c, planned_utilisation, utilisation_limit
from benchmarks.intervals import Interval
from tests.benchmarks.made_up_series import MEBI, bench_series, run

WORKERS = (1, 2, 4, 8, 16)
# The highest utilisation at which p99 of the wait is at most so many service times, as tabled for M/M/c.
LIMITS = {1: (0.03, 0.17, 0.42, 0.64, 0.79), 2: (0.06, 0.32, 0.59, 0.77, 0.88), 5: (0.31, 0.62, 0.80, 0.89, 0.95)}


@pytest.mark.parametrize(
    ("servers", "utilisation", "expected"),
    [(1, 0.3, 0.3), (2, 0.5, 1 / 3), (2, 0.8, 32 / 45), (5, 0.8, 0.5541)],
)
def test_erlang_c(servers: int, utilisation: float, expected: float) -> None:
    # Of two servers C = 2 rho^2 / (1 + rho); five are tabled in textbooks.
    assert erlang_c(servers, utilisation) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("service_times", LIMITS)
def test_the_limit_of_utilisation_is_that_of_the_table(service_times: int) -> None:
    limits = [utilisation_limit(workers, service_times) for workers in WORKERS]

    assert limits == pytest.approx(LIMITS[service_times], abs=0.006)


def test_even_service_times_allow_as_much_as_twice_the_wait() -> None:
    even = utilisation_limit(2, 5, service_variability=0)

    assert even == pytest.approx(utilisation_limit(2, 10))
    assert even > utilisation_limit(2, 5)


def test_planning_goes_from_one_queue_to_the_busiest_workers_own() -> None:
    one_queue, own_queue = utilisation_limit(2, 5), utilisation_limit(1, 5)

    assert planned_utilisation(2, 5, 0.5) == pytest.approx(one_queue)
    assert planned_utilisation(2, 5, 1.0) == pytest.approx(own_queue / 2)
    assert planned_utilisation(2, 5, 0.75) == pytest.approx(0.5 * one_queue + 0.5 * own_queue / 1.5)
    assert planned_utilisation(1, 5, 1.0) == pytest.approx(own_queue)


def test_a_host_of_two_workers_from_its_cell(tmp_path: Path) -> None:
    made = bench_series(tmp_path / "bench-1", {"processes": None})
    for block in (0, 1):
        made.save(run("processes", block, requests=1_000, busiest_share=0.5, server_cpu_seconds=10.0))

    kind = host(Cells(made), "processes")

    assert kind is not None
    assert (kind.workers, kind.demand_seconds.value, kind.ceiling) == (2, 0.01, 200)
    assert kind.usable == pytest.approx(123, abs=0.5)
    assert kind.memory_bytes == pytest.approx(130 * MEBI)
    assert host(Cells(made), "no such cell") is None


def kind(busiest_share: float = 0.5) -> Host:
    planned = planned_utilisation(2, 5, busiest_share)
    return Host("processes", 2, Interval(0.01, 0.01, 0.01), busiest_share, 0.62, 0.31, planned, 130 * MEBI)


@pytest.mark.parametrize(
    ("wanted", "workers", "hosts"), [(31, 1, 1), (32, 2, 1), (123, 2, 1), (124, 4, 2), (1_230, 20, 10), (1_231, 22, 11)]
)
def test_workers_and_hosts_for_so_many_requests(wanted: int, workers: int, hosts: int) -> None:
    found = need(kind(), wanted)

    assert (found.workers, found.hosts) == (workers, hosts)


def test_unevenly_used_workers_need_more_hosts() -> None:
    assert need(kind(0.9), 1_000).hosts > need(kind(0.5), 1_000).hosts
