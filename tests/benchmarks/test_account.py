"""The account of a request: every sample has a stage, and the stages add up."""

import asyncio
import json
import shutil
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import pytest
import uvloop

from app.runtimes.base import Runtime
from benchmarks import tables
from benchmarks.account import stages
from benchmarks.account.measuring import noted, sampled
from benchmarks.account.sampler import stack_of
from benchmarks.account.stages import LOOP, PREDICT, QUEUEING, READ, ROUTING, STAGES, TABLE, WRITE, stage_of
from benchmarks.account.table import TOTAL, microseconds
from benchmarks.comparable import NotComparable
from benchmarks.failures import NotMeasurable
from benchmarks.repetition import Plan
from benchmarks.workload import known_answers, write_bodies
from tests.benchmarks.made_up_results import account_result
from tests.conftest import TEXTS

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")


def test_what_the_table_names_is_there() -> None:
    stages.check()

    assert set(TABLE.values()) <= {*STAGES, None}


@pytest.mark.parametrize("name", ["app/gone.py", "app/main.py:gone", "fastapi/gone.py"])
def test_a_name_that_is_gone_is_told(name: str) -> None:
    with pytest.raises(NotMeasurable, match="gone"):
        stages.check({name: READ})


@pytest.mark.parametrize(
    ("stack", "stage"),
    [
        ([], LOOP),
        (["uvloop/_noop.py:noop"], LOOP),
        (["sklearn/pipeline.py:predict_proba", "app/runtimes/sklearn_runtime.py:predict"], PREDICT),
        (["app/instances.py:part", "app/micro_batch.py:_take"], QUEUEING),
        (["app/instances.py:part", "app/runtimes/sklearn_runtime.py:predict", "app/micro_batch.py:_take"], PREDICT),
        (["uvicorn/protocols/http/httptools_impl.py:send", "app/middleware.py:send_named"], WRITE),
        (["uvicorn/protocols/http/httptools_impl.py:data_received"], READ),
        (["app/processes/connection.py:on_response_complete"], WRITE),
        (["starlette/datastructures.py:__init__", "fastapi/routing.py:app"], ROUTING),
        (["app/not_yet_written.py:main"], stages.OTHER),
    ],
)
def test_a_stack_belongs_to_the_innermost_stage(stack: list[str], stage: str) -> None:
    assert stage_of(stack) == stage


def test_every_sample_has_one_stage() -> None:
    stacks = Counter({"": 3, "app/pace.py:took app/micro_batch.py:_hand_out": 4, "fastapi/routing.py:app": 5})

    told = noted(stacks)

    assert {stage: count for stage, count in told["stages"].items() if count} == {LOOP: 3, QUEUEING: 4, ROUTING: 5}
    assert told["functions"] == {"fastapi/routing.py:app": 5, "app/pace.py:took": 4, "the event loop": 3}


def test_what_the_loop_has_just_called_has_spent_nothing_yet() -> None:
    stacks: dict[str, list[str]] = {}

    def callback() -> None:
        """Called by the event loop."""
        stacks["later"] = stack_of(sys._getframe())

    def trace(frame: FrameType, event: str, argument: object) -> None:
        if frame.f_code is callback.__code__:
            stacks[event] = stack_of(frame)

    async def main() -> None:
        asyncio.get_running_loop().call_soon(callback)
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        kept = sys.gettrace()
        sys.settrace(trace)
        try:
            runner.run(main())
        finally:
            sys.settrace(kept)

    assert stacks == {"call": [], "later": ["tests/benchmarks/test_account.py:callback"]}


def test_the_stages_add_up_to_the_whole() -> None:
    rows = [
        account_result({PREDICT: 10, READ: 30}, microseconds=400)["repetitions"][0],
        account_result({PREDICT: 20, READ: 20}, microseconds=600)["repetitions"][0],
    ]

    cost = microseconds(rows)

    assert cost[TOTAL] == pytest.approx(500)
    assert sum(cost[stage] for stage in STAGES) == pytest.approx(cost[TOTAL])
    assert cost[PREDICT] == pytest.approx(500 * 30 / 80)


def test_one_account_as_a_table() -> None:
    text = tables.render([account_result({PREDICT: 10, READ: 30})])

    assert "| predict | 125.0 | 125.0 to 125.0 | 25 % |" in text
    assert "| **one request** | 500.0 | 500.0 to 500.0 | 100 % |" in text


def test_two_accounts_stand_side_by_side_though_the_code_is_another() -> None:
    before, after = account_result({PREDICT: 10, READ: 30}), account_result({READ: 40}, microseconds=250, code="0ther")

    text = tables.render([before, after])

    assert "| stage | µs, before | µs, after | last to first |" in text
    assert "| predict | 125.0 | 0.0 | 0.00 |\n" in text
    assert "| **one request** | 500.0 | 250.0 | 0.50 |" in text


def test_accounts_of_two_machines_are_not_compared() -> None:
    with pytest.raises(NotComparable, match="cpu_model"):
        tables.render([account_result({READ: 1}), account_result({READ: 1}, cpu_model="Another")])


@needs_wrk
def test_a_served_load_is_accounted_for(text_artifact: Path, text_runtime: Runtime, tmp_path: Path) -> None:
    bodies = [json.dumps({"text": text}).encode() for text in TEXTS]
    known = known_answers(text_artifact, text_runtime.metadata, bodies)
    plan = Plan(
        write_bodies(bodies, tmp_path / "bodies"), known, warm_up_seconds=1, window_seconds=1
    )  # fmt: skip
    row, stacks = sampled(plan, connections=8, execution="microbatch", model_uri=str(text_artifact), folder=tmp_path)

    told = noted(stacks)["stages"]
    assert row["worker_cpu_seconds"] <= row["cpu_seconds_by_process"][1] + 0.5
    assert row["unsampled_cpu_seconds_per_request"] > 0
    assert sum(told.values()) >= 20
    assert told[PREDICT] > 0
    assert told[ROUTING] > 0
