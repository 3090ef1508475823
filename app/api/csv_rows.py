"""Instances as CSV: what a cell says depends on the model's column, for CSV has no types."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

from app.column import Kind
from app.errors import BadInput, Problem
from app.input_schema import InputSchema, TableInput

# What pandas takes for a missing value; in a column of texts they are texts.
MISSING = frozenset({
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
})  # fmt: skip
INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
BOOLEANS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
FLAGS = {**BOOLEANS, "1": True, "0": False}


def rows_of_csv(names: Sequence[str], lines: Sequence[list[str]], inputs: InputSchema) -> list[list[Any]]:
    """The lines by the types of the columns that have these names."""
    if not isinstance(inputs, TableInput):
        return list(lines)
    kinds = {column.name: column.kind for column in inputs.columns}
    # Those of an array may have any names.
    any_names = inputs.unnamed and not kinds.keys() <= set(names)
    return read_by(lines, [READINGS[kinds.get(name, "numeric" if any_names else "string")] for name in names])


def cells(body: bytes) -> list[list[str]]:
    """Of each line that is not empty; raises BadInput."""
    try:
        text = body.decode("utf-8-sig")
        return [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except UnicodeDecodeError:
        raise BadInput([Problem("body", "is no UTF-8")]) from None
    except csv.Error:
        raise BadInput([Problem("body", "is no CSV")]) from None


def read_by(rows: Sequence[list[str]], readings: Sequence[Callable[[str], Any]]) -> list[list[Any]]:
    """A row that is too long or too short stays so, for whoever counts its values."""
    return [
        [read(cell) for read, cell in zip(readings, row, strict=True)] if len(row) == len(readings) else list(row)
        for row in rows
    ]


def number(cell: str) -> Any:
    """The cell itself where it is none: whoever checks values says so."""
    if cell in MISSING:
        return None
    told = cell.strip()
    if INTEGER.fullmatch(told):
        return int(told)
    # Python would take more for a number: 1_000, and digits of any alphabet.
    return float(told) if NUMBER.fullmatch(told) else cell


def _boolean(cell: str) -> Any:
    return None if cell in MISSING else FLAGS.get(cell, cell)


def _text(cell: str) -> Any:
    return cell or None


def _numeric(cell: str) -> Any:
    return BOOLEANS[cell] if cell in BOOLEANS else number(cell)


READINGS: dict[Kind, Callable[[str], Any]] = {
    "number": number, "integer": number, "boolean": _boolean, "numeric": _numeric, "string": _text, "any": _numeric,
}  # fmt: skip
