"""Tiny series with round numbers, written as the runner writes them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hdrh.histogram import HdrHistogram

from benchmarks.scenarios import Scenario, headline
from benchmarks.series import Series
from tests.benchmarks.made_up_results import ENVIRONMENT

MEBI = 2**20
CONDITIONS = {"quick": False, "repetitions": 3, "warm_up_seconds": 4, "window_seconds": 10, "seed": 20}
# Requests a second of each cell of `make bench`.
RATES = {
    "baseline": 100, "threads": 100, "processes": 190, "processes-microbatch": 380, "numpy": 10, "numpy-threads": 18,
}  # fmt: skip
Figures = Mapping[str, Mapping[str, Any]]


def run(scenario: str, block: int, **figures: Any) -> dict[str, Any]:
    """Of a closed loop; one core's time is spent by the server, a tenth of one by the load generator."""
    rate = figures.get("requests_per_second", 100)
    return {
        "block": block, "scenario": scenario, "attempt": 0, "void": [],
        "started": f"2026-01-02T03:{block:02d}:05+00:00", "ended": f"2026-01-02T03:{block:02d}:25+00:00",
        "calibration_seconds": [0.1, 0.1], "generator": "wrk", "requests": rate * 10, "seconds": 10.0,
        "requests_per_second": rate, "p50_seconds": 0.01, "p90_seconds": None, "p99_seconds": 0.02,
        "p999_seconds": None, "histogram": None, "server_cpu_seconds": 10.0, "cpu_seconds_by_process": [0.0, 10.0],
        "generator_cpu_seconds": 1.0, "steal_share": 0.0, "idle_share": 0.0, "pss_bytes": 100 * MEBI,
        "pss_bytes_by_process": [60 * MEBI, 40 * MEBI], "private_bytes_by_process": [10 * MEBI, 20 * MEBI],
        "warm_up_requests_per_second": rate, "served_by_worker": {"0": rate * 10}, "busiest_share": 1.0,
        "jain_index": 1.0, "mean_batch_size": 1.0,
        "bystander": {"requests": 100, "p50_seconds": 0.001, "p99_seconds": 0.002, "max_seconds": 0.004},
    } | figures  # fmt: skip


def series(
    folder: Path,
    scenarios: Sequence[Scenario],
    figures: Figures,
    *,
    benchmark: str = "bench",
    blocks: int = 3,
    conditions: Mapping[str, Any] | None = None,
    **environment: Any,
) -> Series:
    """A run of each block for the scenarios that have figures; a list of figures is one a block."""
    made = Series.begin(
        folder,
        benchmark=benchmark,
        environment=ENVIRONMENT | environment,
        conditions=CONDITIONS | dict(conditions or {}),
        scenarios=scenarios,
    )
    for scenario in scenarios:
        for block in range(blocks) if scenario.name in figures else ():
            given = figures[scenario.name]
            made.save(run(scenario.name, block, **{key: of_block(value, block) for key, value in given.items()}))
    made.finish()
    return made


def of_block(value: Any, block: int) -> Any:
    return value[block] if isinstance(value, list) else value


def bench_series(folder: Path, rates: Mapping[str, Any] | None = None, **more: Any) -> Series:
    """All six cells, at the rates above but for those given; None leaves a cell out."""
    chosen = {name: rate for name, rate in (RATES | dict(rates or {})).items() if rate is not None}
    return series(folder, headline(2), {name: {"requests_per_second": rate} for name, rate in chosen.items()}, **more)


def histogram(milliseconds: Sequence[int]) -> str:
    recorded = HdrHistogram(1, 3_600_000_000, 3)
    for each in milliseconds:
        recorded.record_value(each * 1_000)
    text: str = recorded.encode().decode()
    return text
