"""
Instances as one column block: a 2-D array, a list of strings, or a mapping of columns.

A block is sliced and concatenated whole; no function here touches one Python row at a time.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Instances = Array | list[str] | dict[str, Array]
LARGEST_SINGLE = float(np.finfo(np.float32).max)
# Above this a dot product may start threads.
MOST_OF_A_DOT_PRODUCT = 4096


def count(instances: Instances) -> int:
    """How many rows the block holds."""
    if isinstance(instances, dict):
        return len(next(iter(instances.values())))
    return len(instances)


def size(instances: Instances) -> int:
    """What a predict of the block grows with: characters of texts (at least one a text), else rows."""
    if isinstance(instances, list):
        return sum(map(len, instances)) or len(instances)
    return count(instances)


def part(instances: Instances, start: int, stop: int) -> Instances:
    """Rows `start` to `stop` (exclusive); arrays are views."""
    if isinstance(instances, dict):
        return {name: column[start:stop] for name, column in instances.items()}
    return instances[start:stop]


def concatenate(blocks: Sequence[Instances]) -> Instances:
    """The rows of all blocks in order; the blocks are of one kind and have the same columns."""
    first = blocks[0]
    if len(blocks) == 1:
        return first
    if isinstance(first, dict):
        return {name: np.concatenate([block[name] for block in blocks]) for name in first}  # type: ignore[call-overload]
    if isinstance(first, list):
        return [text for block in blocks for text in block]
    return np.concatenate(blocks)  # type: ignore[arg-type]


def is_writable(instances: Instances) -> bool:
    """Whether all of it may be changed in its place."""
    columns = instances.values() if isinstance(instances, dict) else [instances]
    return all(column.flags.writeable for column in columns if isinstance(column, np.ndarray))


def copied(instances: Instances) -> Instances:
    """The rows, in memory of their own."""
    if isinstance(instances, dict):
        return {name: column.copy() for name, column in instances.items()}
    return instances.copy()


def texts(instances: Instances) -> list[str]:
    """Every string in the block."""
    if isinstance(instances, list):
        return instances
    columns = instances.values() if isinstance(instances, dict) else ()
    return [value for column in columns if column.dtype == object for value in column if isinstance(value, str)]


def plainly_finite(numbers: Array) -> bool:
    """True only where every number is finite and far below the largest of single precision; one cheap look."""
    return numbers.size <= MOST_OF_A_DOT_PRODUCT and bool(np.vdot(numbers, numbers) < LARGEST_SINGLE)
