"""One run of one scenario: what is asked how, and what a cache must have known."""

import shutil
from pathlib import Path

import pytest

from benchmarks.cell import checked, generator_of, hit_share
from benchmarks.failures import RequestsFailed
from benchmarks.generators import Own, Schedule, Wrk
from benchmarks.grid import arrivals_of
from benchmarks.scenarios import Scenario, headline
from benchmarks.served import Served
from tests.benchmarks.fake_server import RIGHT, Answer, CrowdedServer, fake_server
from tests.benchmarks.test_failing_kinds import plan

BASELINE = headline(2)[0]


def test_a_crowded_server_is_checked_once_it_is_done_with_what_a_window_left(tmp_path: Path) -> None:
    loaded = False

    def answers(body: bytes, held: int) -> Answer:
        return (503, "") if loaded and server.status_of_get == 503 else RIGHT

    scenario = BASELINE.but("crowded", "?", workers=1)
    with fake_server(answers, CrowdedServer) as server:
        with checked(scenario, server, plan(tmp_path, 0.3)):
            loaded, server.status_of_get = True, 503

        assert server.scrapes > 5


def looked_up(hit: float, miss: float) -> Served:
    return Served({}, {}, 0, 0, hit=hit, miss=miss)


def test_what_the_cache_knew_is_told_as_a_share() -> None:
    assert hit_share(looked_up(99, 1)) == 0.99


@pytest.mark.parametrize("during", [looked_up(97, 3), looked_up(0, 9), looked_up(0, 0)])
def test_a_cache_that_knew_little_yields_no_number(during: Served) -> None:
    with pytest.raises(RequestsFailed, match="the prediction cache knew"):
        hit_share(during)


def scheduled(load: float) -> Scenario:
    [scenario, *_] = arrivals_of(BASELINE, (load, load))
    return scenario


@pytest.mark.parametrize(("load", "overload"), [(0.9, False), (1.5, True)])
def test_only_beyond_its_capacity_may_a_server_leave_requests_unanswered(load: float, overload: bool) -> None:
    generator = generator_of(scheduled(load), 20, 100.0)

    assert isinstance(generator, Schedule)
    assert generator.overload is overload


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_asks_where_it_can_and_our_own_generator_where_it_must() -> None:
    fresh = BASELINE.but("fresh", "?", keep_alive=False)
    own = BASELINE.but("own", "?", own_generator=True)

    assert [type(generator_of(each, 20, None)) for each in (BASELINE, fresh, own)] == [Wrk, Own, Own]


def test_where_wrk_is_missing_our_own_generator_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert isinstance(generator_of(BASELINE, 20, None), Own)
