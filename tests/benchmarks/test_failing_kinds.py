"""A broken server fails each kind of run, whoever sends the load: none yields a number."""

import json
import re
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cell import window
from benchmarks.failures import RequestsFailed, RunFailed, ServerFailed, WrongAnswer
from benchmarks.generators import Generator, Own, Schedule, Wrk
from benchmarks.questions import CheckedPlan
from benchmarks.saturation import search
from benchmarks.scenarios import Scenario
from benchmarks.workload import write_bodies
from tests.benchmarks.fake_server import RIGHT, Answer, FakeServer, RespawningServer, fake_server
from tests.benchmarks.test_failing_servers import KNOWN, LOAD

# On fresh connections, so that our own generator warms up for those by schedule.
SCENARIO = Scenario(name="fake", question="?", connections=4, keep_alive=False)
# A closed loop asks its first requests at once, in the warm-up and in the window, however slow all else is.
EVERY = SCENARIO.connections + 1
needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
KINDS = {
    "own": lambda: Own(4, keep_alive=False),
    "poisson": lambda: Schedule("poisson", rate=400.0, seed=1),
}
# Of wrk the like is shown in test_failing_servers.py.
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
Kind = Callable[[], Generator]


def plan(folder: Path, seconds: float) -> CheckedPlan:
    right = json.dumps({"label": "positive", "score": 0.75}).encode()
    return CheckedPlan(
        bodies=write_bodies(LOAD, folder / "bodies.jsonl"),
        known=KNOWN,
        warm_up_seconds=seconds,
        window_seconds=seconds,
        expected=write_bodies([right] * len(LOAD), folder / "expected.jsonl"),
    )


def figures_of(server: FakeServer, kind: Kind, folder: Path) -> dict[str, Any]:
    generator = kind()
    # wrk knows whole seconds alone.
    return window(SCENARIO, server, plan(folder, 1 if isinstance(generator, Wrk) else 0.3), generator)


@pytest.mark.parametrize("kind", [pytest.param(lambda: Wrk(4), id="wrk", marks=needs_wrk), *KINDS.values()])
def test_a_server_that_answers_rightly_yields_a_number(kind: Kind, tmp_path: Path) -> None:
    with fake_server(lambda body, held: RIGHT) as server:
        row = figures_of(server, kind, tmp_path)

    assert row["requests"] > 0
    assert row["requests_per_second"] > 0
    assert row["p50_seconds"] > 0
    assert (row["busiest_share"], row["jain_index"]) == (1.0, 1.0)


@kinds
def test_a_500_now_and_then_yields_none(kind: Kind, tmp_path: Path) -> None:
    numbers = count()

    def answers(body: bytes, held: int) -> Answer:
        return (500, "positive") if body in LOAD and next(numbers) % EVERY == EVERY - 1 else RIGHT

    with fake_server(answers) as server, pytest.raises(RequestsFailed, match=r"500|Non-2xx"):
        figures_of(server, kind, tmp_path)


@kinds
def test_wrong_answers_yield_none(kind: Kind, tmp_path: Path) -> None:
    with fake_server(lambda body, held: (200, "negative")) as server, pytest.raises(WrongAnswer):
        figures_of(server, kind, tmp_path)


@kinds
def test_a_wrong_answer_now_and_then_yields_none_where_all_are_checked(kind: Kind, tmp_path: Path) -> None:
    numbers = count()

    def answers(body: bytes, held: int) -> Answer:
        return (200, "negative") if body in LOAD and next(numbers) % EVERY == EVERY - 1 else RIGHT

    with fake_server(answers) as server, pytest.raises(WrongAnswer):
        figures_of(server, kind, tmp_path)


@kinds
def test_a_worker_that_was_replaced_meanwhile_yields_none(kind: Kind, tmp_path: Path) -> None:
    with (
        fake_server(lambda body, held: RIGHT, RespawningServer) as server,
        pytest.raises(ServerFailed, match="replaced"),
    ):
        figures_of(server, kind, tmp_path)


@kinds
def test_a_server_that_counted_otherwise_than_its_clients_yields_none(kind: Kind, tmp_path: Path) -> None:
    class Miscounting(FakeServer):
        def exposition(self) -> str:
            return re.sub(r"} (\d+)", lambda count: f"}} {2 * int(count[1])}", super().exposition())

    with (
        fake_server(lambda body, held: RIGHT, Miscounting) as server,
        pytest.raises(RequestsFailed, match="the server counted"),
    ):
        figures_of(server, kind, tmp_path)


@pytest.mark.parametrize(("answer", "failure"), [((500, "positive"), RequestsFailed), ((200, "negative"), WrongAnswer)])
def test_the_search_for_the_saturation_fails_too(answer: Answer, failure: type[RunFailed], tmp_path: Path) -> None:
    numbers = count()

    def answers(body: bytes, held: int) -> Answer:
        # It begins well: what is looked for first is how long an idle server takes.
        return answer if next(numbers) > 100 else RIGHT

    with fake_server(answers) as server, pytest.raises(failure):
        search(server, plan(tmp_path, 0.3), capacity=4000.0, seed=1)
