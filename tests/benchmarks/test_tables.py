from pathlib import Path

import pytest

from benchmarks.comparable import NotComparable
from benchmarks.tables import render
from tests.benchmarks.made_up_results import account_result, memory_result

HERE = Path(__file__).parent


def test_a_memory_result_as_markdown() -> None:
    assert render([memory_result()]) + "\n" == (HERE / "memory.md").read_text()


def test_the_ops_worker_has_a_column_where_there_was_one() -> None:
    [head, _, *rows] = render([memory_result(ops_mebibytes=(7,))]).splitlines()[-4:]

    assert head.endswith("| private to each worker | private to the ops worker |")
    assert [row.split(" | ", 4)[4] for row in rows] == ["20 MiB | 7 MiB |", "21 MiB and 22 MiB | 7 MiB |"]


def test_runs_that_are_complete_by_themselves_are_not_combined() -> None:
    with pytest.raises(NotComparable, match="complete by itself"):
        render([memory_result(), memory_result()])


@pytest.mark.parametrize(
    "other",
    [
        account_result({}, cpu_model="Another CPU"),
        account_result({}, cores=4),
        account_result({}) | {"conditions": {"quick": False, "warm_up_seconds": 4, "window_seconds": 1}},
        account_result({}) | {"scenarios": []},
        memory_result(),
    ],
)
def test_unlike_runs_are_not_combined(other: dict[str, object]) -> None:
    with pytest.raises(NotComparable, match="differs"):
        render([account_result({}), other])
