"""The tables of `make bench-surroundings` say what a result has, and what does not hold in bold."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import report, tables
from benchmarks.load_generator import latencies
from benchmarks.result_file import Document
from benchmarks.surroundings.arms import ARMS, BLOCKS, FORKCAST
from benchmarks.surroundings.table import NOT_YET
from tests.benchmarks.made_up_results import ENVIRONMENT

RATES = {FORKCAST: 800.0, BLOCKS: 10.0}
SECONDS = {FORKCAST: 0.01, BLOCKS: 12.5}
COUNTS = {FORKCAST: 1_000, BLOCKS: 20}

BURST = {"requests": 64, "delay_seconds": 0.1, "together_seconds": [0.12, 0.11, 0.13], "in_a_row_seconds": 6.5}


def cell(arm: str, *, delay: float = 0.1, times: float = 1.0) -> dict[str, Any]:
    seconds, count = SECONDS.get(arm, 0.02), COUNTS.get(arm, 600)
    histogram = latencies.histogram(np.full(count, seconds))
    return {
        "delay_seconds": delay, "connections": 32, "requests": count, "queries": count // 4,
        "requests_per_second": RATES.get(arm, 100.0) * times, "histogram": latencies.encoded(histogram),
        "store_cpu_seconds": 0.5, "void": ["the generator was busy"] if arm == FORKCAST else [],
    }  # fmt: skip


def fault(**change: Any) -> dict[str, Any]:
    return {
        "fault": "hanging", "workers": 2, "on_failure": "refuse", "statuses": {"200": 5, "503": 1_200},
        "p50_seconds": 0.001, "p99_seconds": 0.203, "longest_seconds": 0.25, "most_late_seconds": 0.004,
        "slack_seconds": 0.05, "let_alone": {"seconds": 8.0, "tried": 16, "arrived": 4}, "recovery_seconds": 3.24,
        "holds": True, **change,
    }  # fmt: skip


def result() -> Document:
    visits = [
        {"block": block, "arm": arm.name, "calibration_seconds": [0.1, 0.1], "steal_share": 0.0,
         "cells": [cell(arm.name, times=times)]}
        for block, times in enumerate([1.0, 2.0, 1.5]) for arm in ARMS
    ]  # fmt: skip
    queue = [
        {"block": block, "way": way, "rows": 100, "clients": 8, "results_per_second": rate * (block + 1),
         "p50_seconds": 0.02, "longest_seconds": 0.05, "client_cpu_share": 0.3}
        for block in range(2) for way, rate in (("queue in SQLite", 50.0), ("direct", 200.0))
    ]  # fmt: skip
    return {
        "benchmark": "surroundings",
        "environment": ENVIRONMENT,
        "conditions": {
            "repetitions": 3, "seed": 20, "window_seconds": 2.0, "rate": 120, "phase_seconds": 10.0,
            "deadline_seconds": 0.2, "slack_seconds": 0.05, "most_recovery_seconds": 16.0, "poll_seconds": 0.02,
            "queue_window_seconds": 1.0,
        },
        "arms": [{"name": arm.name, "title": arm.title, "baseline": arm.baseline} for arm in ARMS],
        "store_alone": [cell("store", delay=0.005) | {"p50_seconds": 0.0051}],
        "visits": visits,
        "burst": BURST,
        "faults": [fault(), fault(fault="down", holds=False, recovery_seconds=None), fault(fault="well", let_alone={
            "seconds": 0, "tried": 0, "arrived": 0,
        })],
        "queue": queue,
    }  # fmt: skip


def rows_of(text: str, first: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith(f"| {first}")]


def test_each_load_has_rates_with_spread_percentiles_and_paired_ratios() -> None:
    text = tables.render([result()])

    [row] = rows_of(text, "100 ms")
    assert row[:3] == ["100 ms", "32", "1,200 (800 to 1,600); 10.0, 10.0"]
    # Too few for a p99.
    assert row[5] == "15.0 (10.0 to 20.0); 12,501, longest 12,501"
    assert row[6] == "4.0"
    assert row[7] == "80.00 (80.00 to 80.00)"
    assert "5 ms: 100/s at 32 connections, p50 5.1 ms" in text
    assert "at most 25% of a core" in text
    assert "the generator was busy" in text


def test_the_burst_stands_beside_the_same_requests_in_a_row() -> None:
    assert "answered after 120 ms (median of 3 bursts, 110 to 130 ms); one after the other they take 6.50 s" in (
        tables.render([result()])
    )


def test_a_fault_that_does_not_hold_is_bold_and_queries_are_counted_where_they_can_be() -> None:
    text = tables.render([result()])

    [hanging] = rows_of(text, "takes connections")
    [down] = rows_of(text, "down: ")
    [well] = rows_of(text, "none")
    assert hanging[1:] == [
        "2", "503", "5 x 200, 1,200 x 503", "1 ms", "203 ms", "250 ms", "0.5 (4 in 8.0 s)", "3.2 s", "yes",
    ]  # fmt: skip
    assert down[-3:] == ["2.0 (16 in 8.0 s)", "**never**", "**no**"]
    assert well[-3] == "never let alone"


def test_a_fault_that_does_not_hold_where_the_load_was_late_is_void() -> None:
    text = tables.render([result() | {"faults": [fault(holds=False, most_late_seconds=0.3)]}])

    [hanging] = rows_of(text, "takes connections")
    assert hanging[-1] == "void: the load came up to 300 ms late"


def test_the_queue_stands_beside_direct_answers() -> None:
    [row] = rows_of(tables.render([result()]), "100 | 8")

    assert row == [
        "100", "8", "300.0 (200.0 to 400.0); 20.0, 50.0 ms", "75.0 (50.0 to 100.0); 20.0, 50.0 ms",
        "4.00 (4.00 to 4.00)",
    ]  # fmt: skip


@pytest.mark.parametrize("part", ["visits", "burst", "faults", "queue"])
def test_a_part_that_was_not_measured_is_left_out(part: str) -> None:
    whole = tables.render([result()])
    document = {name: value for name, value in result().items() if name != part}

    assert len(tables.render([document])) < len(whole)


def test_the_readme_says_so_until_there_is_a_result(tmp_path: Path) -> None:
    assert report.section("surroundings", tmp_path) == NOT_YET
    with pytest.raises(FileNotFoundError):
        report.section("memory", tmp_path)
