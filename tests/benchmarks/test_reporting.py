import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.analysis.cells import Cells
from benchmarks.comparable import NotComparable
from benchmarks.grid import full
from benchmarks.reporting import bench_table, content
from benchmarks.reporting.__main__ import newest_or_none, written
from benchmarks.reporting.answer import answer, how_many
from benchmarks.reporting.document import Bullets, Drawing, Heading, Paragraph, Table, to_html, to_markdown
from benchmarks.reporting.threats import threats
from benchmarks.series import Series
from tests.benchmarks.made_up_series import CONDITIONS, MEBI, bench_series, histogram, run, series

HERE = Path(__file__).parent
# On both sides of another's 100, in three blocks.
UNSURE = [90, 110, 101]


def bench(folder: Path, rates: Mapping[str, Any] | None = None, **more: Any) -> Cells:
    return Cells(bench_series(folder / "bench-1", rates, **more))


def full_series(folder: Path) -> Series:
    """The cells that each figure needs, two blocks of them."""
    closed: dict[str, dict[str, Any]] = {
        "text-blocking": {"requests_per_second": 100}, "text-blocking-w2": {"requests_per_second": 190},
        "text-blocking-w5": {"requests_per_second": 150, "pss_bytes": 200 * MEBI}, "text-inline": {},
        "text-threads": {"requests_per_second": 90}, "text-inline-w2": {"requests_per_second": 180},
        "numpy-64-inline": {}, "numpy-64-threads": {"requests_per_second": 250},
        "numpy-64-inline-w2": {"requests_per_second": 190}, "text-default": {"busiest_share": 0.5},
    }  # fmt: skip
    scheduled = {"histogram": histogram([*range(1, 101)] * 10), "refused": 0, "errors": {}, "lag_p99_seconds": 0.0001}
    open_loop = {
        f"text-blocking-w2-poisson-{load:g}": {
            "offered_per_second": 200 * load,
            "requests_per_second": min(180, 200 * load),
        }
        | scheduled
        for load in (0.4, 0.6, 0.9, 1.5)
    }
    search = {
        "requests_per_second": 120, "saturation_per_second": 120, "objective_seconds": 0.025,
        "probes": [[{}], [{}]], "confirmations": [[{}], [{}]],
    }  # fmt: skip
    figures = {**closed, **open_loop, "text-blocking-w2-search": search}
    return series(folder / "full-20260101T000000", full(2), figures, benchmark="full", blocks=2)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of both series, written once: matplotlib takes its time."""
    folder = tmp_path_factory.mktemp("report")
    grid = full_series(folder)
    experiments = {"cores": 2, "asyncio_threads": 6, "anyio_threads": 40, "elapsed": []}
    (grid.folder / "experiments.json").write_text(json.dumps(experiments))
    written(bench_series(folder / "bench-20260101T000000"), grid, None, out=folder)
    return folder


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({}, "**Throughput follows processes, not threads.**"),
        ({"threads": 300}, "**Throughput follows threads, not processes.**"),
        ({"threads": UNSURE, "processes": 100}, "**No difference between processes and threads is shown.**"),
        ({"threads": None}, "**Whether throughput follows processes or threads was not measured.**"),
    ],
)
def test_the_answer_begins_with_what_the_intervals_show(rates: dict[str, Any], expected: str, tmp_path: Path) -> None:
    assert answer(bench(tmp_path, rates), []).startswith(expected)


def test_the_answer_names_its_numbers(tmp_path: Path) -> None:
    text = answer(bench(tmp_path), [])

    assert "2 processes, 1.90 (1.90 to 1.90)" in text
    assert "2 threads in one process, 1.00 (1.00 to 1.00), no difference shown" in text


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({"numpy-threads": 18}, "numpy (64 rows), threads to one thread: 1.80 (1.80 to 1.80)."),
        ({"numpy-threads": 5}, "numpy (64 rows), threads to one thread: 0.50 (0.50 to 0.50)."),
        ({"numpy-threads": [9, 11, 10]}, "threads to one thread: 1.00 (0.90 to 1.10), no difference shown."),
    ],
)
def test_the_answer_says_where_threads_win(rates: dict[str, Any], expected: str, tmp_path: Path) -> None:
    measured = bench(tmp_path, rates)

    assert expected in answer(measured, [measured])


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (380, "brings more on top, to those processes without: 2.00"),
        (95, "brings less, to those processes without: 0.50"),
        ([180, 200, 190], "brings nothing that is shown"),
    ],
)
def test_the_answer_says_what_batches_bring(rate: object, expected: str, tmp_path: Path) -> None:
    assert expected in answer(bench(tmp_path, {"processes-microbatch": rate}), [])


@pytest.mark.parametrize(
    ("p99", "expected"),
    [
        ([0.001] * 3, "What threads do bring"),
        ([0.004] * 3, "Nor do threads spare others"),
        ([0.001, 0.004, 0.002], "is not shown: p99"),
    ],
)
def test_the_answer_says_who_else_waits(p99: list[float], expected: str, tmp_path: Path) -> None:
    made = bench_series(tmp_path / "bench-1", {"threads": None})
    for block, seconds in enumerate(p99):
        made.save(run("threads", block, bystander={"p99_seconds": seconds, "max_seconds": 0.1}))

    assert expected in answer(Cells(made), [])


def test_the_grid_says_where_threads_answer_more_than_processes(tmp_path: Path) -> None:
    text = answer(None, [Cells(full_series(tmp_path))])

    assert text.startswith("**Throughput follows processes, not threads.**")
    assert "Of what was repeated (1 kind of request), threads answer more than processes on numpy (64 rows)." in text


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({}, "run 2 workers, one a core**; of 1 and 2, no greater number was tried"),
        ({"processes": 90}, "run 1 worker, fewer than cores**; of 1 and 2, no greater number is shown to answer more"),
        ({"processes": None}, "was not measured"),
    ],
)
def test_how_many_to_run(rates: dict[str, Any], expected: str, tmp_path: Path) -> None:
    assert expected in how_many([bench(tmp_path, rates)])


def test_without_make_bench_the_answer_is_of_the_series_that_repeated_it(tmp_path: Path) -> None:
    cells = {
        "text-inline": {}, "text-threads": {"requests_per_second": 60}, "text-inline-w2": {"requests_per_second": 180},
        "text-microbatch-w2": {"requests_per_second": 900},
    }  # fmt: skip
    grid = Cells(series(tmp_path / "full-1", full(2), cells, benchmark="full", blocks=1))
    claims = Cells(series(tmp_path / "claims-1", full(2), cells, benchmark="claims", blocks=3))

    once, both = answer(None, [grid]), answer(None, [grid, claims])

    assert once.startswith("**Measured once, which shows no difference and no lack of one.**")
    assert "Measured once, a request that needs no model waits beside threads with a p99 of" in once
    assert "Predicting what waits in one call was measured once, to those processes without: 5.00" in once
    assert both.startswith("**Throughput follows processes, not threads.**")
    assert "Processes to threads: 3.00 (3.00 to 3.00)." in both
    assert "brings more on top, to those processes without: 5.00 (5.00 to 5.00)" in both
    # Told already.
    assert "other kind" not in both


def test_a_rung_that_ran_once_does_not_silence_the_others(tmp_path: Path) -> None:
    cells = {"text-inline": {}, "text-inline-w2": {"requests_per_second": 180}}
    made = series(tmp_path / "full-1", full(2), cells, benchmark="full")
    made.save(run("text-inline-w5", 0, requests_per_second=150))

    assert "run 2 workers, one a core**; of 1 and 2," in how_many([Cells(made)])


def test_rungs_without_a_block_in_common_recommend_nothing(tmp_path: Path) -> None:
    made = series(tmp_path / "full-1", full(2), {"text-inline": {}}, benchmark="full", blocks=2)
    for block in (2, 3):
        made.save(run("text-inline-w2", block, requests_per_second=180))

    assert "is not shown" in how_many([Cells(made)])


def test_how_many_to_run_is_not_said_of_what_ran_once(tmp_path: Path) -> None:
    assert "is not shown" in how_many([bench(tmp_path, blocks=1)])


def test_the_table_of_the_readme(tmp_path: Path) -> None:
    made = bench_series(tmp_path / "bench-1", {"numpy": None, "threads": [95, 105, 101]})
    made.save(run("threads", 0) | {"attempt": 1, "void": ["2 % stolen"]})

    assert bench_table.render(made) + "\n" == (HERE / "bench.md").read_text()


def test_the_report_is_written_with_all_its_figures(report: Path) -> None:
    text = (report / "REPORT.md").read_text()
    figures = {file.name for file in (report / "figures").iterdir()}

    assert set(re.findall(r"\(figures/([a-z]+\.svg)\)", text)) == figures
    assert figures == {
        f"{name}.svg" for name in ("scaling", "gains", "cost", "latency", "spectrum", "goodput", "bystander", "memory")
    }
    assert "Not measured, and left out" not in text


def test_the_page_holds_its_figures_and_names_no_address(report: Path) -> None:
    page = (report / "report.html").read_text()

    assert "http" not in page
    assert page.count('<img src="data:image/svg+xml;base64,') == 8
    assert page.count("<img") == 8
    assert not re.findall(r"<(?:script|link|iframe)|url\(|@import", page)


def test_experiments_beside_a_series_are_among_the_claims(report: Path) -> None:
    assert "“the default thread pool has 5 threads a core” | **refuted**" in (report / "REPORT.md").read_text()


@pytest.mark.parametrize("part", [content.LATENCY, content.MEMORY], ids=["latency", "memory"])
def test_the_same_series_gives_the_same_bytes(part: content.Part, report: Path) -> None:
    [drawing] = content.drawn([Cells(Series(report / "full-20260101T000000"))], part)

    assert isinstance(drawing, Drawing)
    assert drawing.svg == (report / f"figures/{drawing.name}.svg").read_text()


def test_a_figure_without_its_cells_is_left_out_and_the_one_of_before_removed(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/latency.svg").write_text("of an earlier report")

    written(bench_series(tmp_path / "bench-20260101T000000"), None, None, out=tmp_path)

    assert not (tmp_path / "figures/latency.svg").exists()
    assert "Not measured, and left out: the figure `latency`." in (tmp_path / "REPORT.md").read_text()


def test_what_the_claims_do_not_hold_is_shown_of_make_bench(tmp_path: Path) -> None:
    cells = {"text-inline": {}, "text-inline-w2": {"requests_per_second": 180}}
    claims = series(tmp_path / "claims-20260101T000000", full(2), cells, benchmark="claims", blocks=2)

    written(bench_series(tmp_path / "bench-20260101T000000", {"numpy-threads": 18}), None, claims, out=tmp_path)

    text = (tmp_path / "REPORT.md").read_text()
    assert "numpy (64 rows), threads to one thread: 1.80" in text.partition("## ")[0]
    assert "| numpy (64 rows) | 1.80 (1.80 to 1.80) | not measured | not measured | bench |" in text
    assert "| text-inline-w2 | 2 | 1.80 (1.80 to 1.80) | 0.111 (0.111 to 0.111) | claims |" in text
    assert "Series `claims-20260101T000000`, 2 runs each.](figures/memory.svg)" in text


def test_a_grid_that_ran_once_leaves_to_others_what_they_ran_often(tmp_path: Path) -> None:
    once = {
        "text-inline": {}, "text-inline-w2": {"requests_per_second": 110},
        "text-inline-w3": {"requests_per_second": 90},
        "text-threads": {"requests_per_second": 80}, "numpy-64-inline": {}, "numpy-64-threads": {},
        "numpy-64-inline-w2": {"requests_per_second": 190}, "text-microbatch": {"requests_per_second": 300},
        "text-blocking": {}, "text-blocking-w2": {}, "text-blocking-w3": {}, "text-default": {"busiest_share": 0.5},
    }  # fmt: skip
    often = {"text-inline": {}, "text-inline-w2": {"requests_per_second": 180}, "text-microbatch": {}}
    grid = series(tmp_path / "full-20260101T000000", full(2), once, benchmark="full", blocks=1)
    claims = series(tmp_path / "claims-20260101T000000", full(2), often, benchmark="claims", blocks=2)

    written(bench_series(tmp_path / "bench-20260101T000000", {"numpy-threads": 18}), grid, claims, out=tmp_path)

    text = (tmp_path / "REPORT.md").read_text()
    opening = text.partition("## ")[0]
    assert "numpy (64 rows), threads to one thread: 1.80 (1.80 to 1.80)." in opening
    assert "without an interval, threads to one thread on text (1 row): 0.80." in opening
    assert (
        "without an interval, processes to threads on 2 kinds of request: 1.38 (text (1 row)) to 1.90 (numpy (64 rows))"
    ) in opening
    assert "so many times as much in batches as without: 1.00 (1.00 to 1.00), no difference" in opening
    assert "no difference is shown on" not in opening
    assert "**Forkcast, inline, text, 1 row: run 2 workers, one a core**; of 1 and 2," in text
    assert "| text-inline-w2 | 2 | 1.80 (1.80 to 1.80) | 0.111 (0.111 to 0.111) | claims |" in text
    assert "How many hosts\n\nFrom `processes-microbatch` of the series `bench-20260101T000000`: a request" in text
    assert "| text-inline-w3 | 3 | 0.90 (one block: no interval) | 1.167 | full |" in text
    assert (
        "| numpy (64 rows) | 1.80 (1.80 to 1.80) | 1.90 (one block: no interval) | 1.90 (one block: no interval) | "
        "bench and full |"
    ) in text
    assert "Series `full-20260101T000000`, 1 run each.](figures/memory.svg)" in text


def test_a_series_without_a_valid_run_still_has_a_report(tmp_path: Path) -> None:
    made = bench_series(tmp_path / "bench-20260101T000000", blocks=0)
    made.save(run("baseline", 0) | {"void": ["2 % stolen"]})

    written(made, None, None, out=tmp_path)

    assert "was not measured" in (tmp_path / "REPORT.md").read_text()
    assert "No valid run" in bench_table.render(made)


def test_void_runs_are_listed_with_their_reasons(tmp_path: Path) -> None:
    made = bench_series(tmp_path / "bench-1")
    made.save(run("threads", 2) | {"attempt": 1, "void": ["2 % stolen", "a calibration drifted"]})

    assert to_markdown(content.void([Cells(made)])).endswith(
        "| threads | 2 | 1 | 2026-01-02T03:02:05+00:00 | 2 % stolen; a calibration drifted |\n"
    )


def test_threats_count_the_runs_whose_load_generator_took_much(tmp_path: Path) -> None:
    made = bench_series(tmp_path / "bench-1", {"threads": None})
    made.save(run("threads", 0, generator_cpu_seconds=4.0))

    text = " ".join(threats([Cells(made)]))

    assert "took 5 % to 20 % of their time, over 5 % in 1 of 16 runs" in text


def test_series_of_two_machines_are_not_in_one_report(tmp_path: Path) -> None:
    one, other = bench_series(tmp_path / "bench-1", cpu_model="Another CPU"), full_series(tmp_path)

    with pytest.raises(NotComparable, match="cpu_model differs"):
        written(one, other, None, out=tmp_path)


def test_a_quick_series_has_no_report(tmp_path: Path) -> None:
    bench_series(tmp_path / "bench-20260101T000000", conditions=CONDITIONS | {"quick": True})

    with pytest.raises(NotComparable, match="quick"):
        newest_or_none("bench", tmp_path)
    assert newest_or_none("full", tmp_path) is None


@pytest.mark.parametrize("grid_too", [False, True])
def test_what_was_measured_for_the_claims_decides_on_them_and_stands_in_for_the_grid(
    grid_too: bool, tmp_path: Path
) -> None:
    loggers = {"text-default": {"requests_per_second": 100}, "text-default-logged": {"requests_per_second": 92}}
    claimed = series(tmp_path / "claims-1", full(2), loggers, benchmark="claims")
    grid = full_series(tmp_path) if grid_too else None

    written(None, grid, claimed, out=tmp_path)

    report = (tmp_path / "REPORT.md").read_text()
    assert "| “logging costs 5 to 10 %” | **upheld** | throughput | 0.90 to 0.95 | 0.92 (0.92 to 0.92)" in report
    assert ("Series `full-20260101T000000`" in report) is grid_too
    assert "`claims-1`: 2 of" in report


def test_text_is_escaped_in_html_and_marked_in_both_forms() -> None:
    blocks = [
        Heading("A & B", 1),
        Paragraph("`x < y` is **so**"),
        Bullets(["&"]),
        Table(["a"], [["<b>"]]),
        Drawing("f", "c", "<svg/>"),
    ]

    assert to_markdown(blocks) == (
        "# A & B\n\n`x < y` is **so**\n\n- &\n\n| a |\n| --- |\n| <b> |\n\n![c](figures/f.svg)\n\n*c*\n"
    )
    assert "<h1>A &amp; B</h1>" in to_html(blocks)
    assert "<p><code>x &lt; y</code> is <strong>so</strong></p>" in to_html(blocks)
    assert "<ul><li>&amp;</li></ul>" in to_html(blocks)
    assert "<td>&lt;b&gt;</td>" in to_html(blocks)
