import json
from pathlib import Path
from statistics import StatisticsError

import pytest

from benchmarks import result_file
from benchmarks.comparable import NotComparable
from benchmarks.report import NotRendered, publish, rendered
from benchmarks.tables import render
from tests.benchmarks.made_up_results import memory_result, scaling_result

README = """\
# Title
<!-- results: scaling -->
old
<!-- end -->
between
<!-- results: memory -->
<!-- end -->
after <!-- end -->
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    result_file.write(scaling_result(date="2025-01-01"), tmp_path / "scaling-20250101T000000.json")
    result_file.write(scaling_result(), tmp_path / "scaling-20260102T030405.json")
    result_file.write(memory_result(), tmp_path / "memory-20260102T030405.json")
    return tmp_path


def test_only_what_is_between_the_markers_changes_and_the_newest_result_is_shown(results: Path) -> None:
    scaling, memory = render([scaling_result()]), render([memory_result()])

    assert rendered(README, results) == (
        f"# Title\n<!-- results: scaling -->\n{scaling}\n<!-- end -->\nbetween\n"
        f"<!-- results: memory -->\n{memory}\n<!-- end -->\nafter <!-- end -->\n"
    )


def test_rendering_twice_changes_nothing_more(results: Path) -> None:
    once = rendered(README, results)

    assert rendered(once, results) == once


def test_several_results_are_combined_where_several_are_named(results: Path) -> None:
    names = "scaling-20250101T000000 scaling-20260102T030405"

    assert "Repetitions: 4 of each row" in rendered(f"<!-- results: {names} -->\n<!-- end -->\n", results)


@pytest.mark.parametrize(
    "text", ["no marker", "<!-- results: scaling -->\n", "<!-- results: -->\n<!-- end -->", README.replace("end", "nd")]
)
def test_a_text_without_a_place_for_a_result_is_refused(text: str, results: Path) -> None:
    with pytest.raises(NotRendered):
        rendered(text, results)


def test_a_result_that_is_missing_is_an_error(results: Path) -> None:
    with pytest.raises(FileNotFoundError, match="latency"):
        rendered("<!-- results: latency -->\n<!-- end -->\n", results)


def test_a_quick_run_is_no_result(tmp_path: Path) -> None:
    result_file.write(scaling_result(conditions={"quick": True}), tmp_path / "scaling.json")

    with pytest.raises(NotComparable, match="quick"):
        rendered("<!-- results: scaling -->\n<!-- end -->\n", tmp_path)


def test_a_result_is_never_replaced(tmp_path: Path) -> None:
    file = tmp_path / "scaling.json"
    result_file.write(scaling_result(), file)

    with pytest.raises(FileExistsError):
        result_file.write(memory_result(), file)
    assert json.loads(file.read_text())["benchmark"] == "scaling"


def test_what_has_no_table_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(StatisticsError):
        publish(scaling_result() | {"repetitions": []}, tmp_path / "result.json")

    assert not (tmp_path / "result.json").exists()
