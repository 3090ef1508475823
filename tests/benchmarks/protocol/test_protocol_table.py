"""What is asked for is judged by the surest figure of the better MLServer; what was not measured does not hold."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers.filling import fill
from benchmarks.protocol.arms import ARMS
from benchmarks.report import rendered
from benchmarks.reporting import protocol_table
from benchmarks.series import Series
from tests.benchmarks.made_up_results import ENVIRONMENT

RATES = {
    "text-json-forkcast": 9_000.0, "text-json-forkcast-batching": 7_000.0, "text-json-mlserver": 500.0,
    "text-json-mlserver-batching": 1_000.0, "linear-binary-forkcast": 1_000.0,
    "linear-binary-forkcast-batching": 4_000.0, "linear-json-forkcast": 900.0, "linear-json-forkcast-batching": 2_000.0,
    "linear-json-mlserver": 1_000.0, "linear-json-mlserver-batching": 800.0,
}  # fmt: skip
TEXT, BYTES, JSON = range(3)


def row(name: str, rate: float) -> dict[str, Any]:
    load = {
        "requests": rate * 5, "requests_per_second": rate, "p50_seconds": 0.01, "p99_seconds": 0.02, "cpu_share": 0.1,
        "server_cpu_seconds": 5.0,
    }  # fmt: skip
    return {
        "scenario": name, "started": "2026-01-02T03:04:05+00:00", "ended": "2026-01-02T03:05:05+00:00",
        "calibration_seconds": [0.1, 0.1], "steal_share": 0.0, "void": [], "loads": {"32": load},
    }  # fmt: skip


def series(folder: Path, rates: Mapping[str, float] = RATES, factors: tuple[float, ...] = (1, 1, 1)) -> Series:
    """`factors` are by how much Forkcast is faster in each block."""
    made = Series.begin(
        folder, benchmark="protocol", environment={**ENVIRONMENT, "peers": {}}, scenarios=ARMS,
        conditions={
            "quick": False, "models": {"text": "sentiment 1", "linear": "linear 2"}, "repetitions": len(factors),
            "warm_up_seconds": 2, "window_seconds": 5, "seed": 20,
        },
    )  # fmt: skip
    for block, factor in enumerate(factors):
        for name, rate in rates.items():
            run = row(name, rate * factor if "forkcast" in name else rate)
            made.save({"block": block, "attempt": 0, **run})
    made.finish()
    return made


def told(made: Series) -> list[list[str]]:
    lines = protocol_table.render(made).splitlines()
    start = lines.index("| what | asked | measured | holds |")
    return [line.strip("| ").split(" | ") for line in lines[start + 2 : start + 5]]


def test_the_default_is_compared_with_the_better_of_the_two(tmp_path: Path) -> None:
    figures = told(series(tmp_path / "protocol-1"))

    assert [figure[1] for figure in figures] == ["at least 6", "at least 3", "reported"]
    assert [figure[3] for figure in figures] == ["yes", "yes", "reported"]
    assert "7.00 (7.00 to 7.00): 7,000 (7,000 to 7,000) to 1,000" in figures[TEXT][2]
    assert figures[TEXT][2].endswith("MLServer in batches")
    assert "4.00 (4.00 to 4.00): 4,000" in figures[BYTES][2]
    assert figures[BYTES][2].endswith("MLServer one by one")
    assert "2.00 (2.00 to 2.00): 2,000" in figures[JSON][2]


def test_what_is_asked_for_holds_only_where_all_of_its_interval_does(tmp_path: Path) -> None:
    """Ratios of 7 and of 4 on average; of 5.6 and 3.2 in one block."""
    made = series(tmp_path / "protocol-1", factors=(0.8, 1, 1.25))

    assert [figure[3] for figure in told(made)] == ["**no**", "yes", "reported"]
    assert [each.asked for each in protocol_table.unmet(made)] == ["at least 6"]


@pytest.mark.parametrize("name", ["text-json-forkcast-batching", "linear-binary-forkcast-batching"])
def test_what_was_not_measured_does_not_hold(name: str, tmp_path: Path) -> None:
    made = series(tmp_path / "protocol-1")
    made.leave_out(name, "of 9 requests failed: 1 timeout")

    [figure] = protocol_table.unmet(made)

    assert (figure.measured, figure.holds) == ("not measured", False)
    assert f"- Not measured: {name}: of 9 requests failed: 1 timeout." in protocol_table.render(made).splitlines()
    assert "TensorFlow" not in protocol_table.in_full(made)


def test_the_other_configuration_counts_where_the_better_failed(tmp_path: Path) -> None:
    made = series(tmp_path / "protocol-1")
    made.leave_out("text-json-mlserver-batching", "the server ended")

    assert told(made)[TEXT][2].startswith("14.00 ")


def test_a_series_is_filled_and_shown_in_full(tmp_path: Path) -> None:
    made = series(tmp_path / "protocol-1", rates={})

    fill(made, ARMS, lambda arm: row(arm.name, RATES[arm.name]))

    text = protocol_table.in_full(made)
    assert all(len(made.of(name)) == 3 for name in RATES)
    for start in (
        "| text, 1 row, V2 in JSON | Forkcast | yes | 32 | 7,000 ",
        "| linear, 64 rows, V2 in bytes | Forkcast | no | 32 | 1,000 ",
        "| linear, 64 rows, V2 in JSON | MLServer | yes | 32 | 800 ",
    ):
        assert any(line.startswith(start) for line in text.splitlines())
    assert "MLServer takes and answers tensors in JSON alone" in text
    assert "5 s at 32 connections" in text


@pytest.mark.parametrize("name", ["protocol", "protocol-in-full"])
def test_a_page_says_where_there_is_no_result_yet(name: str, tmp_path: Path) -> None:
    page = f"<!-- results: {name} -->\n<!-- end -->"
    before = rendered(page, tmp_path)
    series(tmp_path / "protocol-20260101T000000")

    assert protocol_table.NOT_YET in before
    assert protocol_table.NOT_YET not in rendered(page, tmp_path)
