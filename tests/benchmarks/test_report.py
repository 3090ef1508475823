import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import result_file
from benchmarks.account.stages import LOOP
from benchmarks.comparable import NotComparable
from benchmarks.report import NotRendered, publish, rendered
from benchmarks.reporting import bench_table
from benchmarks.tables import render
from tests.benchmarks.made_up_results import account_result, memory_result
from tests.benchmarks.made_up_series import bench_series

README = """\
# Title
<!-- results: account -->
old
<!-- end -->
between
<!-- results: memory -->
<!-- end -->
after <!-- end -->
"""


def account(**environment: object) -> dict[str, Any]:
    return account_result({LOOP: 10}, **environment)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    result_file.write(account(commit="old"), tmp_path / "account-20250101T000000.json")
    result_file.write(account(), tmp_path / "account-20260102T030405.json")
    result_file.write(memory_result(), tmp_path / "memory-20260102T030405.json")
    return tmp_path


def test_only_what_is_between_the_markers_changes_and_the_newest_result_is_shown(results: Path) -> None:
    account_table, memory = render([account()]), render([memory_result()])

    assert rendered(README, results) == (
        f"# Title\n<!-- results: account -->\n{account_table}\n<!-- end -->\nbetween\n"
        f"<!-- results: memory -->\n{memory}\n<!-- end -->\nafter <!-- end -->\n"
    )


def test_rendering_twice_changes_nothing_more(results: Path) -> None:
    once = rendered(README, results)

    assert rendered(once, results) == once


def test_several_results_are_combined_where_several_are_named(results: Path) -> None:
    names = "account-20250101T000000 account-20260102T030405"

    assert "µs, before | µs, after" in rendered(f"<!-- results: {names} -->\n<!-- end -->\n", results)


@pytest.mark.parametrize(
    "text", ["no marker", "<!-- results: account -->\n", "<!-- results: -->\n<!-- end -->", README.replace("end", "nd")]
)
def test_a_text_without_a_place_for_a_result_is_refused(text: str, results: Path) -> None:
    with pytest.raises(NotRendered):
        rendered(text, results)


def test_a_result_that_is_missing_is_an_error(results: Path) -> None:
    with pytest.raises(FileNotFoundError, match="latency"):
        rendered("<!-- results: latency -->\n<!-- end -->\n", results)


def test_a_quick_run_is_no_result(tmp_path: Path) -> None:
    result_file.write(account() | {"conditions": {"quick": True}}, tmp_path / "account.json")

    with pytest.raises(NotComparable, match="quick"):
        rendered("<!-- results: account -->\n<!-- end -->\n", tmp_path)


def test_a_result_is_never_replaced(tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    result_file.write(account(), file)

    with pytest.raises(FileExistsError):
        result_file.write(memory_result(), file)
    assert json.loads(file.read_text())["benchmark"] == "account"


def test_what_has_no_table_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        publish(account() | {"repetitions": []}, tmp_path / "result.json")

    assert not (tmp_path / "result.json").exists()


def test_of_a_series_the_newest_of_its_name_is_shown(tmp_path: Path) -> None:
    bench_series(tmp_path / "bench-20250101T000000", commit="old")
    newest = bench_series(tmp_path / "bench-20260101T000000")

    assert rendered("<!-- results: bench -->\nold\n<!-- end -->", tmp_path) == (
        f"<!-- results: bench -->\n{bench_table.render(newest)}\n<!-- end -->"
    )


def test_a_quick_series_is_no_result(tmp_path: Path) -> None:
    bench_series(tmp_path / "bench-20260101T000000", conditions={"quick": True})

    with pytest.raises(NotComparable, match="quick"):
        rendered("<!-- results: bench -->\n<!-- end -->", tmp_path)


def test_a_series_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="bench"):
        rendered("<!-- results: bench -->\n<!-- end -->", tmp_path)
