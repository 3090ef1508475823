from pathlib import Path

import pytest

from benchmarks.comparable import NotComparable
from benchmarks.tables import render
from tests.benchmarks.made_up_results import memory_result, scaling_result

HERE = Path(__file__).parent


def test_a_scaling_result_as_markdown() -> None:
    assert render([scaling_result()]) + "\n" == (HERE / "scaling.md").read_text()


def test_a_memory_result_as_markdown() -> None:
    assert render([memory_result()]) + "\n" == (HERE / "memory.md").read_text()


def test_the_ops_worker_has_a_column_where_there_was_one() -> None:
    [head, _, *rows] = render([memory_result(ops_mebibytes=(7,))]).splitlines()[-4:]

    assert head.endswith("| private to each worker | private to the ops worker |")
    assert [row.split(" | ", 4)[4] for row in rows] == ["20 MiB | 7 MiB |", "21 MiB and 22 MiB | 7 MiB |"]


def test_two_like_runs_are_one_table_of_all_their_blocks() -> None:
    text = render([scaling_result(), scaling_result(conditions={"seed": 21}, commit="later", date="2026-02-02")])

    assert "Repetitions: 4 of each row" in text
    assert "seed 20, 21" in text


@pytest.mark.parametrize(
    "other",
    [
        scaling_result(cpu_model="Another CPU"),
        scaling_result(cores=4),
        scaling_result(code="0ther"),
        scaling_result(settings={"FORKCAST_THREADS": "8"}),
        scaling_result(conditions={"window_seconds": 1}),
        scaling_result() | {"scenarios": []},
        memory_result(),
    ],
)
def test_unlike_runs_are_not_combined(other: dict[str, object]) -> None:
    with pytest.raises(NotComparable, match="differs"):
        render([scaling_result(), other])
