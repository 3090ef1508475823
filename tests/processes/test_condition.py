"""What the scoreboard's clocks and states mean."""

from dataclasses import replace

import pytest

from app.processes.condition import Condition, condition, why_not_ready
from app.processes.scoreboard import Role, State, Worker

NOW = 1000.0
MOST_PREDICT_SECONDS = 30.0
IDLE = Worker(
    slot=0, pid=1, role=Role.SERVE, generation=0, state=State.READY, connections=0, engaged=0, in_flight=0, requests=0,
    beat=NOW - 1, predicting_since=0.0, version="a",
)  # fmt: skip
BOOTING = replace(IDLE, state=State.BOOTING, beat=0.0)
DRAINING = replace(IDLE, state=State.DRAINING)
SILENT = replace(IDLE, beat=NOW - 5.1)
OPS = replace(IDLE, role=Role.OPS)


@pytest.mark.parametrize(
    ("worker", "expected"),
    [
        (IDLE, Condition.READY),
        (replace(IDLE, beat=NOW - 4.9), Condition.READY),
        (SILENT, Condition.STUCK),
        # Nothing beats during a predict.
        (replace(SILENT, predicting_since=NOW - 29.9), Condition.BUSY),
        (replace(SILENT, predicting_since=NOW - 30.1), Condition.STUCK),
        (BOOTING, Condition.BOOTING),
        (replace(BOOTING, predicting_since=NOW - 31), Condition.BOOTING),
        (replace(SILENT, state=State.DRAINING), Condition.DRAINING),
    ],
)
def test_a_worker_is_what_its_state_and_its_clocks_say(worker: Worker, expected: Condition) -> None:
    assert condition(worker, NOW, MOST_PREDICT_SECONDS) is expected


def reasons(*workers: Worker, wanted: int = 2) -> list[str]:
    return why_not_ready(workers, wanted, NOW, MOST_PREDICT_SECONDS)


def generation(number: int, *workers: Worker) -> list[Worker]:
    return [replace(worker, generation=number) for worker in workers]


def test_all_workers_warm_and_alike_are_ready() -> None:
    assert reasons(IDLE, replace(IDLE, predicting_since=NOW - 2), OPS) == []


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        ([], ["0 of 2 workers are warm"]),
        ([OPS, OPS], ["0 of 2 workers are warm"]),
        ([IDLE], ["1 of 2 workers are warm"]),
        ([IDLE, BOOTING], ["1 of 2 workers are warm"]),
        ([IDLE, DRAINING], ["1 of 2 workers are warm"]),
        ([DRAINING, DRAINING, OPS], ["draining"]),
        ([IDLE, SILENT], ["a worker is stuck"]),
        ([IDLE, replace(IDLE, version="b")], ["workers hold different versions"]),
        ([replace(IDLE, version="")] * 2, ["no model"]),
        ([replace(SILENT, version="")], ["no model", "1 of 2 workers are warm", "a worker is stuck"]),
    ],
)
def test_each_reason_is_told(workers: list[Worker], expected: list[str]) -> None:
    assert reasons(*workers) == expected


def test_a_worker_more_than_wanted_does_no_harm() -> None:
    assert reasons(IDLE, IDLE, DRAINING) == []


def test_the_old_generation_counts_until_the_new_one_is_ready() -> None:
    old, new = generation(0, IDLE, IDLE), generation(1, replace(IDLE, version="b"), BOOTING)

    assert reasons(*old, *new) == []


def test_the_new_generation_counts_when_the_old_one_drains() -> None:
    old, new = generation(0, DRAINING, DRAINING), generation(1, IDLE, IDLE)

    assert reasons(*old, *new) == []


def test_halves_of_two_generations_are_not_one() -> None:
    old, new = generation(0, IDLE, DRAINING), generation(1, IDLE, BOOTING)

    assert reasons(*old, *new) == ["1 of 2 workers are warm"]
