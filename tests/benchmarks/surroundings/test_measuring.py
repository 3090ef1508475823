"""What `make bench-surroundings` measures, a little of it, on real servers: and that it can lose."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.runtimes.base import Runtime
from benchmarks.engine.client import Client, run
from benchmarks.failures import RequestsFailed, WrongAnswer
from benchmarks.server import Server
from benchmarks.subjects import Subject
from benchmarks.surroundings import burst, faults, waiting, watch
from benchmarks.surroundings.__main__ import holds
from benchmarks.surroundings.arms import ARMS, Arm, Cell
from benchmarks.surroundings.asked import answering, entity_plan, rows_of
from benchmarks.surroundings.doubles import DEFAULT, RIGHT, ROWS, asked, doubling
from benchmarks.surroundings.faults import Kind
from benchmarks.surroundings.store import Store, feature_store
from tests.benchmarks.test_engine import beside, ok
from tests.conftest import TEXTS

DELAY_SECONDS = 0.05
CONDITIONS: dict[str, Any] = {
    "seed": 1, "rate": 100, "phase_seconds": 1.5, "patience_seconds": 20.0, "faults": ["errors"],
}  # fmt: skip
GOOD_ROW: dict[str, Any] = {
    "fault": "down",
    "on_failure": "refuse", "p99_seconds": 0.25, "statuses": {"200": 3, "503": 4}, "recovery_seconds": 16.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def reviews(text_artifact: Path, text_runtime: Runtime) -> Subject:
    return Subject(text_artifact, text_runtime.metadata, [json.dumps({"text": text}).encode() for text in TEXTS])


@pytest.fixture(scope="module")
def number_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with feature_store(ROWS, tmp_path_factory.mktemp("numbers")) as store:
        store.behave("well", DELAY_SECONDS)
        yield store


@pytest.fixture(scope="module")
def numbers(number_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with doubling(number_store, tmp_path_factory.mktemp("made") / "doubles", workers=1, settings={}) as server:
        yield server


def test_a_load_waits_for_the_store_and_its_answers_are_compared(reviews: Subject, tmp_path: Path) -> None:
    plan = entity_plan(reviews, style="whole", folder=tmp_path)
    wrong = tmp_path / "wrong.jsonl"
    first, *others = plan.expected.read_text().splitlines()
    wrong.write_text("\n".join([*others, first]) + "\n")

    with feature_store(rows_of(reviews), tmp_path) as store, answering(ARMS[0], reviews, store, tmp_path) as server:
        row = waiting.loaded(server, plan, Cell(DELAY_SECONDS, 4), store, 0.4)
        with pytest.raises(WrongAnswer):
            waiting.loaded(server, replace(plan, expected=wrong), Cell(0.0, 4), store, 0.2)

    assert row["p50_seconds"] >= DELAY_SECONDS
    assert 0 < row["queries"] <= row["requests"]
    assert 4 / DELAY_SECONDS / 2 < row["requests_per_second"] <= 4 / DELAY_SECONDS


def test_the_store_alone_is_measured_for_each_delay_at_the_fewest_and_the_most_connections(
    reviews: Subject, tmp_path: Path
) -> None:
    conditions = {"delays": [0.005, 0.02], "connections": [1, 2, 4], "window_seconds": 0.2}

    with feature_store(rows_of(reviews), tmp_path) as store:
        rows = waiting.alone(store, reviews, conditions, tmp_path)

    assert [(row["delay_seconds"], row["connections"]) for row in rows] == [
        (0.005, 1), (0.005, 4), (0.02, 1), (0.02, 4),
    ]  # fmt: skip
    assert all(row["delay_seconds"] <= row["p50_seconds"] < row["delay_seconds"] + 0.02 for row in rows)


def test_requests_at_once_take_about_as_long_as_one(numbers: Server) -> None:
    together, in_a_row = run(burst.both_ways(numbers.port, 10, bursts=2))

    assert len(together) == 2
    assert all(DELAY_SECONDS <= each < 10 * DELAY_SECONDS / 2 for each in together)
    assert in_a_row >= 10 * DELAY_SECONDS


def test_a_burst_with_one_refusal_is_no_measurement(numbers: Server, number_store: Store) -> None:
    number_store.behave("errors")
    try:
        with pytest.raises(RequestsFailed, match="503"):
            run(burst.both_ways(numbers.port, 2, bursts=1))
    finally:
        number_store.behave("well", DELAY_SECONDS)


def test_a_store_that_fails_is_noticed_as_configured_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "QUIET_SECONDS", 0.3)
    # Only the store's errors are to be noticed, no stall; and its breaker in a short phase.
    monkeypatch.setattr(faults, "DEADLINE_SECONDS", 10.0)
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.02)
    kinds = [Kind(1, "refuse"), Kind(1, "default")]

    rows = faults.measure([kinds], CONDITIONS, tmp_path)

    assert [(row["on_failure"], row["fault"]) for row in rows] == [
        ("refuse", "well"), ("refuse", "errors"), ("default", "well"), ("default", "errors"),
    ]  # fmt: skip
    well, refusing, _, defaulting = rows
    assert well["statuses"].keys() == {"200"}
    assert (set(refusing["statuses"]) - {"200"}, set(defaulting["statuses"]) - {"200"}) == (
        {"503"}, {"200 with defaults"},
    )  # fmt: skip
    for failing in (refusing, defaulting):
        assert 0 < failing["let_alone"]["seconds"] < CONDITIONS["phase_seconds"]
        assert failing["let_alone"]["arrived"] <= failing["let_alone"]["tried"] < 10
        assert 0 <= failing["recovery_seconds"] < 5


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        (b'{"prediction": 14.0}', True),
        (b'{"prediction": 12.0}', False),
        (b'{"prediction": %.1f, "features": "default"}' % (2 * DEFAULT), True),
        (b'{"prediction": %.1f}' % (2 * DEFAULT), False),
        (b'{"prediction": 14.0, "features": "default"}', False),
    ],
)
def test_an_answer_is_of_the_entitys_own_features_or_says_that_it_is_not(answer: bytes, right: bool) -> None:
    async def look(port: int) -> bool:
        client = Client(port, right=RIGHT)
        try:
            await asked(client, 7)
        except WrongAnswer:
            return False
        finally:
            client.close()
        return True

    assert run(beside(lambda number: ok(answer), look)) is right


@pytest.mark.parametrize(
    ("change", "well"),
    [
        ({}, True),
        ({"p99_seconds": 0.251}, False),
        ({"statuses": {"200": 3, "504": 1}}, False),
        ({"statuses": {"200": 3, "ConnectionResetError on a kept connection": 1}}, False),
        ({"statuses": {"200": 3, "200 with defaults": 1}}, False),
        ({"on_failure": "default", "statuses": {"200": 3, "200 with defaults": 1}}, True),
        ({"on_failure": "default"}, False),
        ({"fault": "well"}, False),
        ({"fault": "well", "statuses": {"200": 7}}, True),
        ({"recovery_seconds": 16.1}, False),
        ({"recovery_seconds": None}, False),
    ],
)
def test_a_fault_holds_only_within_the_deadline_with_the_configured_answers_and_recovery(
    change: dict[str, Any], well: bool
) -> None:
    assert faults.holds(GOOD_ROW | change) is well


@pytest.mark.parametrize(
    ("document", "well"),
    [
        ({"burst": {"delay_seconds": 0.1, "together_seconds": [0.11, 0.15, 9.0]}}, True),
        ({"burst": {"delay_seconds": 0.1, "together_seconds": [0.11, 0.16, 0.16]}}, False),
        ({"faults": [{"holds": True}, {"holds": True}]}, True),
        ({"faults": [{"holds": True}, {"holds": False}]}, False),
    ],
)
def test_what_does_not_hold_fails_the_run(document: dict[str, Any], well: bool) -> None:
    assert holds(document) is well


def test_each_arm_is_a_baseline_that_is_there_or_forkcast() -> None:
    def is_there(arm: Arm) -> bool:
        return not arm.baseline or (Path("benchmarks/baselines") / f"{arm.baseline}.py").is_file()

    assert all(is_there(arm) for arm in ARMS)
