"""A server that answers badly yields no number, however late or seldom it does."""

import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from benchmarks import memory
from benchmarks.failures import RequestsFailed, RunFailed, ServerFailed, WrongAnswer
from benchmarks.repetition import Figures, Plan, measure
from benchmarks.served import served_when_settled
from benchmarks.server import Server
from benchmarks.workload import Known, check_every_worker, write_bodies
from tests.benchmarks.fake_server import (
    RIGHT,
    Answer,
    Answers,
    BusyServer,
    CrowdedServer,
    FakeServer,
    HoldingServer,
    RespawningServer,
    UnreadyServer,
    fake_server,
)

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")

LOAD = [f'{{"text": "review {number}"}}'.encode() for number in range(20)]
KNOWN = [Known(f'{{"text": "known {n}"}}'.encode(), "positive", {"positive": 0.75}, "1") for n in range(20)]


def measured(server: FakeServer, folder: Path) -> Figures:
    bodies = write_bodies(LOAD, folder / "bodies.jsonl")
    plan = Plan(bodies, KNOWN, warm_up_seconds=1, window_seconds=1)
    return measure(server, plan, connections=4)


def figures_of(answers: Answers, folder: Path) -> Figures:
    with fake_server(answers) as server:
        return measured(server, folder)


@needs_wrk
def test_a_server_that_answers_rightly_yields_a_number(tmp_path: Path) -> None:
    figures = figures_of(lambda body, held: RIGHT, tmp_path)

    assert figures.requests_per_second > 0
    assert figures.busiest_share == 1


@needs_wrk
def test_a_server_that_answers_500_yields_none(tmp_path: Path) -> None:
    with pytest.raises(RequestsFailed, match="answered 500"):
        figures_of(lambda body, held: (500, "positive"), tmp_path)


@needs_wrk
def test_a_wrong_label_yields_none(tmp_path: Path) -> None:
    with pytest.raises(WrongAnswer, match="negative"):
        figures_of(lambda body, held: (200, "negative"), tmp_path)


@needs_wrk
def test_one_500_among_the_requests_of_the_load_yields_none(tmp_path: Path) -> None:
    numbers = count()

    def answers(body: bytes, held: int) -> Answer:
        return (500, "positive") if body in LOAD and next(numbers) == 40 else RIGHT

    with pytest.raises(RequestsFailed, match="Non-2xx or 3xx responses: 1"):
        figures_of(answers, tmp_path)


@needs_wrk
@pytest.mark.parametrize("status", [204, 302])
def test_a_status_that_wrk_takes_for_success_yields_none(status: int, tmp_path: Path) -> None:
    def answers(body: bytes, held: int) -> Answer:
        return (status, "positive") if body == LOAD[3] else RIGHT

    with pytest.raises(RequestsFailed, match=f"counted .*'{status}'"):
        figures_of(answers, tmp_path)


@needs_wrk
def test_answers_that_are_wrong_only_under_load_yield_none(tmp_path: Path) -> None:
    with pytest.raises(WrongAnswer):
        figures_of(lambda body, held: (200, "negative") if held else RIGHT, tmp_path)


@needs_wrk
def test_known_instances_are_asked_over_all_of_the_warm_up(tmp_path: Path) -> None:
    loads = 0
    # How much load there had been at each check, and at each scrape: the first comes after the warm-up.
    checked: list[int] = []
    scraped: list[int] = []

    class Scraped(FakeServer):
        def exposition(self) -> str:
            scraped.append(loads)
            return super().exposition()

    def answers(body: bytes, held: int) -> Answer:
        nonlocal loads
        if body in LOAD:
            loads += 1
        else:
            checked.append(loads)
        return RIGHT

    with fake_server(answers, Scraped) as server:
        measured(server, tmp_path)

    *_, last_under_load = checked[: -len(KNOWN)]
    assert last_under_load > scraped[0] / 2


@needs_wrk
def test_a_server_that_turns_bad_in_the_end_yields_none(tmp_path: Path) -> None:
    checks = count()

    def answers(body: bytes, held: int) -> Answer:
        # Once before the load, once under it.
        return (
            (200, "negative") if body in [known.body for known in KNOWN] and next(checks) >= 2 * len(KNOWN) else RIGHT
        )

    with pytest.raises(WrongAnswer):
        figures_of(answers, tmp_path)


@needs_wrk
def test_a_server_whose_worker_was_replaced_yields_none(tmp_path: Path) -> None:
    with (
        fake_server(lambda body, held: RIGHT, RespawningServer) as server,
        pytest.raises(ServerFailed, match="replaced"),
    ):
        measured(server, tmp_path)


def test_a_server_that_is_gone_yields_none(tmp_path: Path) -> None:
    with fake_server(lambda body, held: RIGHT) as server:
        pass

    with pytest.raises(RunFailed, match="not answered"):
        measured(server, tmp_path)


def test_a_wrong_label_yields_no_memory_figure_either() -> None:
    with fake_server(lambda body, held: (200, "negative")) as server, pytest.raises(WrongAnswer):
        memory.measure(server, KNOWN)


def test_a_worker_replaced_under_a_memory_measurement_yields_no_figure() -> None:
    with (
        fake_server(lambda body, held: RIGHT, RespawningServer) as server,
        pytest.raises(ServerFailed, match="replaced"),
    ):
        memory.measure(server, KNOWN)


def test_a_worker_that_never_answers_a_known_instance_yields_none(tmp_path: Path) -> None:
    with fake_server(lambda body, held: RIGHT) as server, pytest.raises(RequestsFailed, match="only the workers"):
        check_every_worker(server.port, KNOWN[:1], workers=2)


def test_the_counters_are_taken_only_when_they_stand_still() -> None:
    with fake_server(lambda body, held: RIGHT, BusyServer) as server:
        assert served_when_settled(server.port).by_status == {"200": 5}


def test_what_is_in_flight_is_waited_for_though_the_counters_stand_still() -> None:
    with fake_server(lambda body, held: RIGHT, HoldingServer) as server:
        assert served_when_settled(server.port).in_flight == 1


def test_a_scrape_that_is_refused_is_made_again_until_there_is_room() -> None:
    with fake_server(lambda body, held: RIGHT, CrowdedServer) as server:
        assert served_when_settled(server.port).by_status == {}
        assert server.scrapes > 5


def test_a_server_with_a_process_too_few_or_too_many_has_failed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("what it said last")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        with pytest.raises(ServerFailed, match="1 processes rather than 4"):
            Server(process, port=1, ops_port=2, workers=2, log=log).pids()
        process.communicate(b"\n")


def test_a_server_whose_model_is_not_loaded_has_failed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("model not loaded")
    with (
        fake_server(lambda body, held: RIGHT, UnreadyServer) as unready,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process,
    ):
        with pytest.raises(ServerFailed, match=r"only the workers \[\] are ready.*\nmodel not loaded"):
            Server(process, port=unready.port, ops_port=2, workers=1, log=log).wait_until_ready(0.2)
        process.communicate(b"\n")


def test_a_server_is_not_ready_before_its_last_process_is_there(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    with (
        fake_server(lambda body, held: RIGHT) as ready,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process,
    ):
        with pytest.raises(ServerFailed, match=r"only the workers \['0'\] are ready, in 1 processes"):
            Server(process, port=ready.port, ops_port=2, workers=1, log=log).wait_until_ready(0.2)
        process.communicate(b"\n")


def test_the_memory_of_a_server_that_answers_rightly_is_measured() -> None:
    with fake_server(lambda body, held: RIGHT) as server:
        figures = memory.measure(server, KNOWN)

    assert figures["pss_bytes"] > figures["processes"][0]["private_bytes"] > 0


@pytest.mark.parametrize(("ratio", "status"), [(1.25, 0), (1.26, 1)])
def test_more_than_a_quarter_for_a_second_worker_is_too_much(ratio: float, status: int) -> None:
    assert memory.verdict(ratio) == status
