"""A series of runs as files: nothing lost, nothing mixed up."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import series_options
from benchmarks.failures import RequestsFailed
from benchmarks.scenarios import Scenario, headline
from benchmarks.series import NotResumable, Series, newest
from tests.benchmarks.made_up_results import ENVIRONMENT

CONDITIONS = {"quick": False, "repetitions": 2, "warm_up_seconds": 1, "window_seconds": 1, "seed": 20}
SCENARIOS = headline(2)


def begun(folder: Path, scenarios: tuple[Scenario, ...] = SCENARIOS) -> Series:
    return Series.begin(folder, benchmark="bench", environment=ENVIRONMENT, conditions=CONDITIONS, scenarios=scenarios)


def saved(series: Series, scenario: str, block: int, attempt: int = 0, **fields: Any) -> None:
    run = {"scenario": scenario, "block": block, "attempt": attempt, "void": [], "started": f"2026-01-0{block + 1}"}
    series.save({**run, **fields})


def test_a_saved_run_is_read_back_as_it_was(tmp_path: Path) -> None:
    series = begun(tmp_path / "bench-1")

    saved(series, "threads", 0, requests=7)

    assert Series(series.folder).of("threads")[0]["requests"] == 7
    assert [scenario["name"] for scenario in Series(series.folder).scenarios] == [each.name for each in SCENARIOS]


def test_a_run_is_never_replaced(tmp_path: Path) -> None:
    series = begun(tmp_path / "bench-1")
    saved(series, "threads", 0, requests=7)

    with pytest.raises(FileExistsError):
        saved(series, "threads", 0, requests=8)

    assert series.of("threads")[0]["requests"] == 7


def test_a_series_does_not_begin_where_there_is_one(tmp_path: Path) -> None:
    begun(tmp_path / "bench-1")

    with pytest.raises(FileExistsError):
        begun(tmp_path / "bench-1")


def test_what_was_cut_off_while_it_was_written_is_no_run(tmp_path: Path) -> None:
    series = begun(tmp_path / "bench-1")
    (series.folder / ".00-threads-0.json").write_text('{"scenario": "thre')

    saved(series, "threads", 0, requests=7)

    assert len(series.runs) == 1


def test_void_runs_are_kept_but_are_not_of_a_scenario(tmp_path: Path) -> None:
    series = begun(tmp_path / "bench-1")
    saved(series, "threads", 0, void=["the machine was slow"])
    saved(series, "threads", 0, attempt=1)
    saved(series, "threads", 1)

    assert len(series.runs) == 3
    assert [(run["block"], run["attempt"]) for run in series.of("threads")] == [(0, 1), (1, 0)]


def test_a_block_has_a_scenario_once_it_is_valid_or_was_tried_often_enough(tmp_path: Path) -> None:
    series = begun(tmp_path / "bench-1")
    saved(series, "threads", 0)
    saved(series, "threads", 1, void=["slow"])
    saved(series, "processes", 1, void=["slow"])
    saved(series, "processes", 1, attempt=1, void=["slow"])

    assert series.has(0, "threads", 2)
    assert not series.has(1, "threads", 2)
    assert series.has(1, "processes", 2)
    assert not series.has(0, "processes", 2)
    assert series.attempts(1, "processes") == 2


def test_what_cannot_be_measured_is_kept_with_its_reason(tmp_path: Path) -> None:
    series = begun(tmp_path / "bench-1")

    series.leave_out("queue", "redis-server is not installed")

    assert Series(series.folder).left_out == {"queue": "redis-server is not installed"}
    assert series.runs == []


def test_a_series_goes_on_under_the_conditions_that_it_was_begun_under(tmp_path: Path) -> None:
    series = begun(tmp_path / "bench-1")

    series.check_resumable(
        environment=ENVIRONMENT | {"load_average": [9.0], "date": "later"}, conditions=CONDITIONS, scenarios=SCENARIOS
    )


@pytest.mark.parametrize(
    ("key", "environment", "conditions", "scenarios"),
    [
        ("code", {"code": "other"}, {}, SCENARIOS),
        ("cores", {"cores": 16}, {}, SCENARIOS),
        ("settings", {"settings": {"FORKCAST_MAX_ROWS": "5"}}, {}, SCENARIOS),
        ("seed", {}, {"seed": 21}, SCENARIOS),
        ("scenarios", {}, {}, SCENARIOS[:5]),
    ],
)
def test_it_does_not_go_on_under_others(
    tmp_path: Path, key: str, environment: Any, conditions: Any, scenarios: tuple[Scenario, ...]
) -> None:
    series = begun(tmp_path / "bench-1")

    with pytest.raises(NotResumable, match=key):
        series.check_resumable(
            environment=ENVIRONMENT | environment, conditions=CONDITIONS | conditions, scenarios=scenarios
        )


def test_the_newest_series_of_a_name_that_is_finished_is_found(tmp_path: Path) -> None:
    for name in ("bench-20260101T000000", "bench-20260202T000000", "full-20260303T000000"):
        begun(tmp_path / name).finish()
    begun(tmp_path / "bench-20260404T000000")

    assert newest("bench", tmp_path).name == "bench-20260202T000000"
    with pytest.raises(FileNotFoundError):
        newest("peers", tmp_path)


@pytest.fixture
def own_signals() -> Iterator[None]:
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.parametrize(
    ("failure", "status", "said"),
    [
        (None, 3, ""),
        (RequestsFailed("1 timeout"), 1, "no result: 1 timeout"),
        (NotResumable("another seed"), 1, "no result: another seed"),
        (KeyboardInterrupt(), 130, "interrupted; RESUME=folder"),
    ],
)
@pytest.mark.usefixtures("own_signals")
def test_how_a_benchmark_ends_is_its_status_and_one_line(
    failure: BaseException | None, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def benchmarked() -> int:
        if failure is not None:
            raise failure
        return 3

    assert series_options.status_of(benchmarked) == status
    assert capsys.readouterr().err.strip().startswith(said)
