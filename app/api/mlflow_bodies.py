"""Requests of MLflow's scoring protocol: the forms of a table in JSON, and CSV."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.types import Scope

from app.api.csv_rows import cells, rows_of_csv
from app.api.json_bodies import json_object
from app.errors import BadInput, Problem
from app.input_schema import InputSchema, TableInput
from app.parameters import checked
from app.predictor import Predictor

JSON, CSV = "application/json", "text/csv"
CONSTANTS = {"NaN": None, "Infinity": math.inf, "-Infinity": -math.inf}
SPLIT = frozenset({"columns", "index", "data"})
# From what a form holds to the instances.
RowsOf = Callable[[Any], list[Any]]


@dataclass(frozen=True, slots=True)
class Scoring:
    """`instances` in the form that the model takes them; `field` is where its caller has them."""

    instances: list[Any]
    field: str
    parameters: Mapping[str, Any]


def read(scope: Scope, body: bytes, predictor: Predictor) -> Scoring:
    """Raises BadInput, and HTTPException for what is neither JSON nor CSV."""
    model, inputs = predictor.model, predictor.model.inputs
    media_type = _media_type(scope["state"]["headers"].get(b"content-type", JSON.encode()))
    if media_type == CSV:
        names, *lines = cells(body) or [[]]
        predictor.check_count(len(lines), "body")
        rows = rows_of_csv(names, lines, inputs)
        return Scoring(_fitting(_named(names, rows, "body"), inputs), "body", {})
    document = _json_object(body)
    given = [form for form in FORMS if form in document]
    if len(given) != 1:
        raise BadInput([Problem("body", f"must have exactly one of {', '.join(FORMS)}, and has {len(given)}")])
    # A model without parameters passes over what it is given, as MLflow's does.
    parameters = checked(model.parameters, document.get("params"), "params") if model.parameters else {}
    field, rows_of = FORMS[given[0]]
    instances = rows_of(document[given[0]])
    # Before they are made larger.
    predictor.check_count(len(instances), field)
    return Scoring(_fitting(instances, inputs), field, parameters)


def _json_object(body: bytes) -> dict[str, Any]:
    """MLflow's own clients write a missing number as NaN, which JSON does not have."""
    try:
        return json_object(body)
    except HTTPException as error:
        try:
            document = json.loads(body.decode("utf-8-sig"), parse_constant=CONSTANTS.get)
            # It takes half a character for one, and whole numbers of any length.
            orjson.dumps(document)
        except (ValueError, TypeError, RecursionError):
            raise error from None
    if not isinstance(document, dict):
        raise BadInput([Problem("body", "must be a JSON object")])
    return document


def _media_type(content_type: bytes) -> str:
    """Raises HTTPException for another one than MLflow's two, or with another parameter than UTF-8."""
    media_type, *parameters = (part.strip().lower() for part in content_type.decode("latin-1").split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() != "charset":
            raise HTTPException(415, "The header Content-Type may have no parameter but charset")
        if value.strip(' "') != "utf-8":
            raise HTTPException(415, "The header Content-Type may have no charset but utf-8")
    if media_type not in (JSON, CSV):
        raise HTTPException(415, f"The header Content-Type must be {JSON} or {CSV}")
    return media_type


def split(given: Any) -> list[Any]:
    """A table's columns and its rows apart."""
    if not isinstance(given, dict) or "data" not in given or given.keys() - SPLIT:
        raise BadInput([Problem("dataframe_split", "must be an object of data, and maybe of columns and index")])
    rows = given["data"]
    if not isinstance(rows, list):
        raise BadInput([Problem("dataframe_split.data", "must be a list of rows")])
    index = given.get("index")
    if isinstance(index, list) and len(index) != len(rows):
        raise BadInput([Problem("dataframe_split.index", "must be as long as the data")])
    names = given.get("columns")
    if names is None:
        return rows
    if not isinstance(names, list) or not {str, int, float}.issuperset(map(type, names)):
        raise BadInput([Problem("dataframe_split.columns", "must be a list of names")])
    return _named(names, rows, "dataframe_split.data")


def records(given: Any) -> list[Any]:
    if not isinstance(given, list) or not all(isinstance(row, dict) for row in given):
        raise BadInput([Problem("dataframe_records", "must be a list of objects")])
    return given


def rows_or_columns(field: str) -> RowsOf:
    """A list of rows, or an object of columns; what is no list is one row."""

    def rows_of(given: Any) -> list[Any]:
        if not isinstance(given, dict):
            return given if isinstance(given, list) else [given]
        values = list(given.values())
        if not any(isinstance(column, list) for column in values):
            return [given]
        if not all(isinstance(column, list) and len(column) == len(values[0]) for column in values):
            raise BadInput([Problem(field, "must be columns of the same length, or of one value each")])
        return _named(list(given), list(map(list, zip(*values, strict=True))), field)

    return rows_of


FORMS: Mapping[str, tuple[str, RowsOf]] = {
    "dataframe_split": ("dataframe_split.data", split),
    "dataframe_records": ("dataframe_records", records),
    "instances": ("instances", rows_or_columns("instances")),
    "inputs": ("inputs", rows_or_columns("inputs")),
}


def _named(names: Sequence[Any], rows: Sequence[Any], field: str) -> list[Any]:
    """The rows as objects; raises BadInput where they are not of these columns."""
    if len(set(map(str, names))) != len(names):
        raise BadInput([Problem(field.removesuffix(".data"), "has two columns of one name")])
    width = len(names)
    wrong = (index for index, row in enumerate(rows) if not isinstance(row, list) or len(row) != width)
    first = next(wrong, None)
    if first is not None:
        raise BadInput([Problem(f"{field}[{first}]", f"must have {width} values, one for each column")])
    return [dict(zip(names, row, strict=True)) for row in rows]


def _fitting(rows: list[Any], inputs: InputSchema) -> list[Any]:
    """
    The rows without the columns that the model does not have, which MLflow passes over too. A column alone needs no
    name; a text's may be any, and so may those of an array.
    """
    if not isinstance(inputs, TableInput):
        return [_only(row) for row in rows]
    known = frozenset(inputs.names)
    if inputs.unnamed:
        rows = _by_position(rows, known)
    if len(known) == 1:
        rows = [row if isinstance(row, list | dict) else [row] for row in rows]
    rows = [
        {name: value for name, value in row.items() if name in known}
        if isinstance(row, dict) and not row.keys() <= known
        else row
        for row in rows
    ]
    return _filled(rows, inputs)


def _by_position(rows: list[Any], known: frozenset[str]) -> list[Any]:
    """Objects whose names are none of the `known` as lists, in the order of the first; raises BadInput for others."""
    first = rows[0] if rows else None
    if not isinstance(first, dict) or not known.isdisjoint(first):
        return rows
    names = first.keys()
    wrong = next((index for index, row in enumerate(rows) if not isinstance(row, dict) or row.keys() != names), None)
    if wrong is not None:
        raise BadInput([Problem(f"row {wrong}", "has other columns than the first")])
    return [[row[name] for name in names] for row in rows]


def _filled(rows: list[Any], inputs: TableInput) -> list[Any]:
    """What some of the rows do not have, and others do, is null there if it may be."""
    objects = [row for row in rows if isinstance(row, dict)]
    if not objects or all(row.keys() == objects[0].keys() for row in objects):
        return rows
    present = frozenset().union(*objects)
    nullable = frozenset(column.name for column in inputs.columns if column.nullable and column.name in present)
    needed = frozenset(inputs.names) - nullable
    # As lists, which take little room: there may be many rows of few values.
    return [
        [row.get(name) for name in inputs.names] if isinstance(row, dict) and needed <= row.keys() else row
        for row in rows
    ]


def _only(row: Any) -> Any:
    """The one value of a row that has one."""
    if isinstance(row, list | dict) and len(row) == 1:
        return row[0] if isinstance(row, list) else next(iter(row.values()))
    return row
