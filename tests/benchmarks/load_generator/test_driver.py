"""The generator in its own process."""

import json
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from benchmarks.failures import RequestsFailed, UnreadableOutput, WrongAnswer
from benchmarks.load_generator import driver
from benchmarks.load_generator.plan import Closed, Open
from benchmarks.processes import tree
from benchmarks.workload import write_bodies
from tests.benchmarks.load_generator.asked import BODIES, CLOSED, OPEN, expected, plan
from tests.benchmarks.load_generator.raw_server import RIGHT, answer, raw_server


def test_a_window_of_another_process_yields_its_numbers(tmp_path: Path) -> None:
    with raw_server(lambda number: answer()) as server:
        figures = driver.open_loop(
            port=server.port, path="/predict", bodies=write_bodies(BODIES, tmp_path / "bodies.jsonl"),
            expected=expected(tmp_path, [RIGHT] * len(BODIES)), seconds=0.2, arrivals="constant", rate=100, seed=1,
        )  # fmt: skip

    assert figures.requests == len(server.asked) == 20
    assert figures.answered_by_worker == {"1": 20}


@pytest.mark.skipif(
    subprocess.run(["chrt", "--rr", "1", "true"], capture_output=True).returncode != 0,
    reason="this user may not run anything in real time",
)
@pytest.mark.parametrize(("load", "precedence"), [(CLOSED, "nice -5"), (OPEN, "real time")])
def test_what_is_due_at_a_moment_waits_for_no_other_process(
    load: Closed | Open, precedence: str, tmp_path: Path
) -> None:
    with raw_server(lambda number: answer()) as server:
        assert driver.measured(plan(server.port, tmp_path, load=load)).precedence == precedence


def test_a_failure_over_there_is_the_same_failure_here(tmp_path: Path) -> None:
    with raw_server(lambda number: answer({"label": "negative"})) as server, pytest.raises(WrongAnswer, match="body 0"):
        driver.closed(
            port=server.port, path="/predict", bodies=write_bodies(BODIES, tmp_path / "bodies.jsonl"),
            expected=expected(tmp_path, [RIGHT] * len(BODIES)), seconds=0.1, connections=1,
        )  # fmt: skip


def test_a_process_that_does_not_come_to_a_result_is_told_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableOutput, match=r"status 1:\n(.|\n)*FileNotFoundError"):
        driver.measured(plan(1, tmp_path, bodies=tmp_path / "missing"))


def test_nothing_is_left_of_it_when_its_user_interrupts(tmp_path: Path) -> None:
    before = set(tree(os.getpid()))

    def interrupt(number: int) -> bytes:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return answer()

    with raw_server(interrupt) as server, pytest.raises(KeyboardInterrupt):
        driver.measured(plan(server.port, tmp_path, seconds=60.0, load=Open("constant", rate=1 / 59, seed=1)))

    # What was there before may have ended.
    assert set(tree(os.getpid())) <= before


def test_a_failure_keeps_its_class_and_its_reason() -> None:
    with pytest.raises(RequestsFailed, match=r"^two of them$"):
        driver.read(json.dumps({"failed": "RequestsFailed", "reason": "two of them"}))


@pytest.mark.parametrize(
    "output", ["", "[]", "{}", '{"measured": {}}', '{"measured": null}', '{"failed": "Exception", "reason": "x"}']
)
def test_what_is_no_result_is_an_exception(output: str) -> None:
    with pytest.raises(UnreadableOutput):
        driver.read(output)


@pytest.mark.parametrize("load", [Closed(3, keep_alive=False), Open("bursty", rate=2.5, seed=1)])
def test_a_plan_arrives_as_it_was_sent(load: Closed | Open, tmp_path: Path) -> None:
    sent = plan(1, tmp_path, load=load)

    assert driver.Plan.from_json(json.loads(json.dumps(sent.to_json()))) == sent
