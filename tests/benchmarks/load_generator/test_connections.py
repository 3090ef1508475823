import threading
from pathlib import Path
from typing import Any

import pytest

from benchmarks.failures import RequestsFailed
from benchmarks.load_generator.__main__ import measure
from benchmarks.load_generator.plan import Closed, Open
from benchmarks.server import free_port
from tests.benchmarks.load_generator.asked import CLOSED, OPEN, measured, plan
from tests.benchmarks.load_generator.raw_server import answer, raw_server

LOADS = [pytest.param(CLOSED, id="closed"), pytest.param(OPEN, id="open")]


def test_more_connections_are_opened_where_none_is_free(tmp_path: Path) -> None:
    release = threading.Event()

    def answers(number: int) -> bytes:
        if number == 39:
            release.set()
        release.wait()
        return answer()

    with raw_server(answers) as server:
        figures = measure(plan(server.port, tmp_path, load=Open("constant", rate=400, seed=1)))

    assert figures.requests == 40
    assert figures.connections_opened == server.connections == 40


def test_an_open_loop_uses_all_its_connections(tmp_path: Path) -> None:
    ports = set()

    with raw_server(lambda number: answer()) as server:
        figures = measure(plan(server.port, tmp_path))
        ports = server.ports

    assert len(ports) == figures.connections_opened


def test_answers_are_counted_by_the_worker_that_they_name(tmp_path: Path) -> None:
    headers = ["X-Worker: 1\r\n", "x-worker: 2\r\n", ""]

    figures = measured(lambda number: answer(headers=headers[number % 3]), tmp_path, load=Closed(1, keep_alive=True))

    named = figures.answered_by_worker
    assert named.keys() == {"1", "2"}
    assert named["1"] - named["2"] in (0, 1)
    assert figures.requests - sum(named.values()) in (named["2"], named["2"] - 1)


def test_a_fresh_connection_for_each_request_where_that_is_asked_for(tmp_path: Path) -> None:
    with raw_server(lambda number: answer()) as server:
        figures = measure(plan(server.port, tmp_path, load=Closed(2, keep_alive=False)))

    assert figures.requests == figures.connections_opened == server.connections


def test_connections_are_kept(tmp_path: Path) -> None:
    with raw_server(lambda number: answer()) as server:
        figures = measure(plan(server.port, tmp_path, load=CLOSED))

    assert figures.connections_opened == server.connections == 2 < figures.requests


@pytest.mark.parametrize("load", LOADS)
def test_a_server_that_closes_its_connections_is_asked_on_others(load: Any, tmp_path: Path) -> None:
    closing = answer(headers="connection: close\r\n")

    figures = measured(lambda number: closing, tmp_path, load=load)

    assert figures.requests > 7
    assert figures.connections_opened >= figures.requests


@pytest.mark.parametrize("load", [*LOADS, pytest.param(Closed(2, keep_alive=False), id="fresh")])
def test_a_server_that_is_not_there_yields_no_number(load: Any, tmp_path: Path) -> None:
    with pytest.raises(RequestsFailed, match="no connection"):
        measure(plan(free_port(), tmp_path, load=load))
