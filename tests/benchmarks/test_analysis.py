from pathlib import Path

import pytest

from benchmarks.analysis.agreement import Agreement, agree, enough, render
from benchmarks.analysis.cells import (
    Cells,
    corrected_throughput,
    cpu_seconds,
    jain_index,
    private_memory,
    throughput,
)
from benchmarks.analysis.gains import gains
from benchmarks.analysis.headline import Headline, headlines
from benchmarks.analysis.scaling import enough_workers, ladders, speedups
from benchmarks.comparable import NotComparable
from benchmarks.intervals import Interval, Ratio
from benchmarks.scenarios import Scenario
from tests.benchmarks.made_up_series import MEBI, bench_series, run, series

ONE = Scenario(name="text-inline", question="?", model="text", acceleration="off")
LADDER = [ONE, *(ONE.but(f"text-inline-w{count}", "?", workers=count) for count in (2, 3, 5))]


def ladder(folder: Path, *rates: object) -> Cells:
    figures = {each.name: {"requests_per_second": rate} for each, rate in zip(LADDER, rates, strict=False)}
    return Cells(series(folder / "full-1", LADDER, figures, benchmark="full"))


def test_a_ratio_is_of_the_blocks_that_hold_both_cells(tmp_path: Path) -> None:
    made = bench_series(tmp_path / "bench-1", {"threads": None})
    for block, rate in ((1, 200), (2, 200), (3, 900)):
        made.save(run("threads", block, requests_per_second=rate))

    assert Cells(made).ratio("threads", "baseline", throughput) == pytest.approx(Ratio(2, 2, 2))


def test_one_common_block_has_a_ratio_without_an_interval(tmp_path: Path) -> None:
    made = bench_series(tmp_path / "bench-1", {"threads": None})
    made.save(run("threads", 0, requests_per_second=50))

    ratio = Cells(made).ratio("threads", "baseline", throughput)

    assert ratio is not None
    assert (ratio.value, ratio.low) == (pytest.approx(0.5), None)


def test_a_cell_without_a_run_has_neither_median_nor_ratio(tmp_path: Path) -> None:
    cells = Cells(bench_series(tmp_path / "bench-1", {"threads": None}))

    assert cells.runs("threads") == []
    assert cells.median("threads", throughput) is None
    assert cells.ratio("threads", "baseline", throughput) is None
    assert cells.ratio("baseline", "threads", throughput) is None


def test_a_void_run_counts_nowhere_and_its_repetition_takes_its_place(tmp_path: Path) -> None:
    made = bench_series(tmp_path / "bench-1", {"threads": None}, blocks=1)
    made.save(run("threads", 0, requests_per_second=900) | {"void": ["steal"]})
    made.save(run("threads", 0, requests_per_second=100) | {"attempt": 1})
    made.save(run("threads", 1, requests_per_second=900) | {"void": ["steal"]})
    cells = Cells(made)

    assert cells.median("threads", throughput) == Interval(100, None, None)
    assert [each["void"] for each in cells.void] == [["steal"], ["steal"]]


def test_figures_of_one_run() -> None:
    measured = run("baseline", 0, requests_per_second=90, requests=1_000, generator_cpu_seconds=2.0)

    assert cpu_seconds(measured) == 0.01
    assert corrected_throughput(2)(measured) == pytest.approx(100)
    # With a core to spare the generator took nothing that the server lacked.
    assert corrected_throughput(2)(measured | {"idle_share": 0.4}) == 90
    assert private_memory(measured) == 30 * MEBI
    assert jain_index(measured | {"jain_index": 0.5}) == 0.5
    assert jain_index(measured | {"served_by_worker": None, "jain_index": None}) is None


def test_two_workers_at_nine_tenths_of_ideal_have_a_serial_share_of_a_ninth(tmp_path: Path) -> None:
    [speedup] = speedups([ladder(tmp_path, 100, [180, 190, 170])])

    assert speedup.ratio.value == pytest.approx(1.8, rel=0.01)
    assert speedup.serial_share.value == pytest.approx(1 / 9, rel=0.03)
    assert speedup.serial_share.low == pytest.approx(2 / 1.9 - 1)
    assert speedup.serial_share.high == pytest.approx(2 / 1.7 - 1)


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ((100, 190, 180, 170), 2),
        ((100, 190, 240, 230), 3),
        ((100, 90, 80, 70), 1),
        ((100, 190, [180, 200, 195], 170), 2),
        ((100, 190, 180, 250), 5),
    ],
)
def test_workers_are_enough_where_no_greater_number_is_shown_to_answer_more(
    rates: tuple[object, ...], expected: int, tmp_path: Path
) -> None:
    [found] = ladders([ladder(tmp_path, *rates)])

    assert enough_workers(found) == expected


def test_a_cell_under_two_names_stands_on_a_ladder_once(tmp_path: Path) -> None:
    scenarios = [ONE, LADDER[1], ONE.but("the same", "?")]
    figures = {each.name: {} for each in scenarios}

    cells = Cells(series(tmp_path / "full-1", scenarios, figures, benchmark="full"))

    assert [each.names for each in ladders([cells])] == [("text-inline", "text-inline-w2")]


def test_the_ten_ratios_of_make_bench(tmp_path: Path) -> None:
    ratios = {each.what: each.ratio for each in headlines(Cells(bench_series(tmp_path / "bench-1")))}

    assert len(ratios) == 10
    assert ratios["throughput, processes to baseline"] == pytest.approx(Ratio(1.9, 1.9, 1.9))
    assert ratios["throughput, numpy-threads to numpy"] == pytest.approx(Ratio(1.8, 1.8, 1.8))
    assert ratios["CPU per request, processes-microbatch to processes"] == pytest.approx(Ratio(0.5, 0.5, 0.5))


def test_gains_of_make_bench_are_of_its_two_models(tmp_path: Path) -> None:
    served, numpy = gains([Cells(bench_series(tmp_path / "bench-1"))])

    assert (served.kind, numpy.kind) == ("served (1 row)", "numpy (64 rows)")
    assert served.duel == pytest.approx(Ratio(1.9, 1.9, 1.9))
    assert numpy.threads == pytest.approx(Ratio(1.8, 1.8, 1.8))
    assert numpy.processes is None


def test_a_series_agrees_with_itself_on_all_ten(tmp_path: Path) -> None:
    one, other = bench_series(tmp_path / "bench-1"), bench_series(tmp_path / "bench-2")

    assert [each.overlap for each in agree(one, other)] == [True] * 10


def test_series_that_differ_in_one_cell_are_apart_on_its_ratios(tmp_path: Path) -> None:
    one, other = bench_series(tmp_path / "bench-1"), bench_series(tmp_path / "bench-2", {"numpy-threads": 10})

    agreements = agree(one, other)

    assert [each.first.what for each in agreements if not each.overlap] == [
        "throughput, numpy-threads to numpy",
        "CPU per request, numpy-threads to numpy",
    ]
    assert "overlap on 8 of 10 ratios" in render(agreements)


@pytest.mark.parametrize(("overlaps", "agreed"), [([True] * 9 + [False], True), ([True] * 8 + [False, None], False)])
def test_two_series_agree_where_nine_ratios_of_ten_do(overlaps: list[bool | None], agreed: bool) -> None:
    ratio = Headline("throughput", "threads", "baseline", Ratio(1.0, 0.9, 1.1))

    assert enough([Agreement(ratio, ratio, overlap) for overlap in overlaps]) is agreed


def test_where_one_series_lacks_a_cell_they_neither_agree_nor_differ(tmp_path: Path) -> None:
    one, other = bench_series(tmp_path / "bench-1"), bench_series(tmp_path / "bench-2", {"numpy": None})

    assert [each.overlap for each in agree(one, other)].count(None) == 2


@pytest.mark.parametrize("environment", [{"code": "0ther"}, {"cores": 4}, {"python": "3.14"}])
def test_series_of_unlike_machines_or_code_are_not_compared(environment: dict[str, object], tmp_path: Path) -> None:
    one, other = bench_series(tmp_path / "bench-1"), bench_series(tmp_path / "bench-2", **environment)

    with pytest.raises(NotComparable, match="differs"):
        agree(one, other)
