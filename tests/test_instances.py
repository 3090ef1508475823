from typing import Any

import numpy as np
import pytest

from app import instances as block
from app.instances import Instances

ARRAY = np.array([[row, -row] for row in range(6)], dtype=np.float64)
TEXTS = ["a", "b", "c", "d", "e", "f"]
TABLE = {"age": np.arange(6.0), "city": np.array(["Rome", "Oslo", np.nan, "Bern", "Rome", "Oslo"], dtype=object)}
BLOCKS = [pytest.param(ARRAY, id="array"), pytest.param(TEXTS, id="texts"), pytest.param(TABLE, id="table")]


def assert_same(found: Instances, expected: Instances) -> None:
    assert type(found) is type(expected)
    if isinstance(found, dict) and isinstance(expected, dict):
        assert list(found) == list(expected)
        for name in found:
            # By identity first: a missing value is not equal to itself.
            assert found[name].tolist() == expected[name].tolist()
            assert found[name].dtype == expected[name].dtype
    else:
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


@pytest.mark.parametrize("instances", BLOCKS)
def test_a_block_counts_its_rows(instances: Instances) -> None:
    assert block.count(instances) == 6


@pytest.mark.parametrize("instances", BLOCKS)
def test_the_parts_of_a_block_concatenate_to_it_again(instances: Instances) -> None:
    parts = [block.part(instances, start, stop) for start, stop in ((0, 1), (1, 4), (4, 6))]

    together = block.concatenate(parts)

    assert [block.count(each) for each in parts] == [1, 3, 2]
    assert_same(together, instances)


@pytest.mark.parametrize("instances", BLOCKS)
def test_a_part_that_reaches_beyond_the_end_stops_there(instances: Instances) -> None:
    assert block.count(block.part(instances, 4, 100)) == 2


@pytest.mark.parametrize("instances", BLOCKS)
def test_a_single_block_is_not_copied(instances: Instances) -> None:
    assert block.concatenate([instances]) is instances


def test_parts_of_arrays_are_views() -> None:
    part: Any = block.part(ARRAY, 1, 3)
    column: Any = block.part(TABLE, 1, 3)

    assert np.shares_memory(part, ARRAY)
    assert np.shares_memory(column["age"], TABLE["age"])


def test_the_texts_of_a_block_are_all_its_strings() -> None:
    assert block.texts(TEXTS) == TEXTS
    assert block.texts(ARRAY) == []
    assert block.texts(TABLE) == ["Rome", "Oslo", "Bern", "Rome", "Oslo"]
