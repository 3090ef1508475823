"""What a model takes as JSON, as it stands in a manifest."""

from collections.abc import Mapping
from typing import Any, get_args

from app.column import Column, Kind
from app.input_schema import InputSchema, TableInput, TextInput

# That a column of numbers may be declared to have.
DTYPES = frozenset({
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
})  # fmt: skip


def inputs_from_json(document: Mapping[str, Any]) -> InputSchema:
    """The schema that `inputs_to_json` wrote; raises KeyError, TypeError or ValueError for another document."""
    if document["kind"] == "text":
        return TextInput(example=str(document["example"]))
    if document["kind"] != "table" or not document["columns"]:
        raise ValueError("neither a text nor a table with columns")
    columns = tuple(
        Column(
            name=str(column["name"]),
            kind=_known_kind(column["kind"]),
            nullable=bool(column["nullable"]),
            categories=None if column.get("categories") is None else frozenset(column["categories"]),
            bounds=_known_bounds(column.get("bounds")),
            required=bool(column.get("required", True)),
            dtype=_known_dtype(column.get("dtype")),
        )
        for column in document["columns"]
    )
    return TableInput(columns=columns, example=dict(document["example"]))


def _known_bounds(bounds: Any) -> tuple[int, int] | None:
    if bounds is None:
        return None
    least, most = bounds
    return int(least), int(most)


def _known_dtype(dtype: Any) -> str | None:
    if dtype is None or (isinstance(dtype, str) and dtype in DTYPES):
        return dtype
    raise ValueError("not a type of numbers")


def _known_kind(kind: Any) -> Kind:
    if kind not in get_args(Kind):
        raise ValueError("not a kind of column")
    return kind  # type: ignore[no-any-return]


def inputs_to_json(inputs: InputSchema) -> dict[str, Any]:
    """The schema as it stands in a manifest."""
    if isinstance(inputs, TextInput):
        return {"kind": "text", "example": inputs.example}
    assert isinstance(inputs, TableInput)
    columns = [
        {
            "name": column.name,
            "kind": column.kind,
            "nullable": column.nullable,
            "categories": None if column.categories is None else sorted(column.categories, key=str),
            "bounds": column.bounds and list(column.bounds),
            "required": column.required,
            "dtype": column.dtype,
        }
        for column in inputs.columns
    ]
    return {"kind": "table", "columns": columns, "example": inputs.example}
