"""An MLflow signature as the inputs of a model, alone or beside what the model itself tells."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from app.column import EXAMPLES, Column, Kind, integers_of
from app.errors import BadInput, ModelNotReady, Refusal
from app.input_schema import InputSchema, TableInput, TextInput
from app.runtimes.artifact import Artifact
from app.runtimes.mlmodel import Field, MLModel, Signature

KINDS: dict[str, Kind] = {
    "string": "string", "str": "string", "boolean": "boolean", "bool": "boolean",
    "integer": "number", "long": "number", "float": "number", "double": "number",
    "int8": "number", "int16": "number", "int32": "number", "int64": "number",
    "uint8": "number", "uint16": "number", "uint32": "number", "uint64": "number",
    "float16": "number", "float32": "number", "float64": "number", "object": "any", "any": "any",
}  # fmt: skip
# Of numbers, by numpy's names; what is not here has its own, or is what a block holds.
DTYPES = {"integer": "int32", "long": "int64", "float": "float32", "double": None, "float64": None}


def declared_inputs(model: MLModel, artifact: Artifact) -> InputSchema | None:
    """What the signature says that the model takes, with MLflow's example where it fits; raises ModelNotReady."""
    if model.signature is None:
        return None
    columns = tuple(_column(index, each, artifact.path) for index, each in enumerate(model.signature.fields))
    if is_text(model.signature):
        return with_example(TextInput(), model.example)
    example = {column.name: EXAMPLES[column.kind] for column in columns}
    return with_example(TableInput(columns, example), model.example)


def is_text(signature: Signature) -> bool:
    """Whether an instance is one string that has no name."""
    return signature.one_unnamed and KINDS.get(signature.fields[0].type) == "string"


def agreed_inputs(inferred: InputSchema, declared: InputSchema, path: Path) -> InputSchema:
    """
    What both the estimator and its signature take; raises ModelNotReady where they contradict each other.

    The names and their order are the estimator's: it would not take others.
    """
    theirs = declared.columns if isinstance(declared, TableInput) else (Column("text", "string"),)
    if isinstance(inferred, TextInput):
        if len(theirs) != 1 or theirs[0].kind not in ("string", "any"):
            raise _contradiction(path, "one text", _words(theirs))
        return with_example(inferred, declared.example)
    assert isinstance(inferred, TableInput)
    named = _in_the_order_of(inferred.columns, theirs)
    if named is None or isinstance(declared, TextInput):
        raise _contradiction(path, _words(inferred.columns), _words(theirs))
    columns = tuple(_agreed(own, each, path) for own, each in zip(inferred.columns, named, strict=True))
    values = declared.example.values() if named is theirs else [declared.example[each.name] for each in named]
    example = dict(zip((column.name for column in columns), values, strict=True))
    return with_example(TableInput(columns, inferred.example), example)


def with_example(inputs: InputSchema, example: Any) -> InputSchema:
    """The same inputs with this example, in the form that they have theirs; as they were where it does not fit."""
    if isinstance(inputs, TextInput):
        if isinstance(example, list | dict) and len(example) == 1:
            example = next(iter(example.values() if isinstance(example, dict) else example))
    else:
        assert isinstance(inputs, TableInput)
        if not isinstance(example, list | dict):
            example = [example]
        if isinstance(example, list) and len(example) == len(inputs.columns):
            example = dict(zip((column.name for column in inputs.columns), example, strict=True))
    try:
        inputs.block([example], str)
    except BadInput:
        return inputs
    return replace(inputs, example=example)


def _column(index: int, told: Field, path: Path) -> Column:
    if not isinstance(told.type, str) or told.type not in KINDS:
        what = f"a column {told.name!a}" if told.name is not None else "an input"
        raise ModelNotReady(f"{path}: its signature has {what} of type {told.type}, which is not served")
    kind = KINDS[told.type]
    name = f"x{index}" if told.name is None else str(told.name)
    return typed(Column(name, kind, nullable=not told.required), DTYPES.get(told.type, told.type))


def typed(column: Column, dtype: str | None) -> Column:
    """With the type that its numbers were declared to have."""
    if column.kind != "number" or dtype is None:
        return column
    column = replace(column, dtype=dtype)
    return replace(column, bounds=integers_of(dtype)) if column.whole else column


def _in_the_order_of(own: tuple[Column, ...], theirs: tuple[Column, ...]) -> tuple[Column, ...] | None:
    """Their columns as ours, which have other names where theirs have none; None where they are others."""
    by_name = {column.name: column for column in theirs}
    if by_name.keys() == {column.name for column in own}:
        return tuple(by_name[column.name] for column in own)
    unnamed = all(column.name == f"x{index}" for index, column in enumerate(theirs))
    return theirs if unnamed and len(own) == len(theirs) else None


def _agreed(own: Column, theirs: Column, path: Path) -> Column:
    kinds = {own.kind, theirs.kind}
    if "string" in kinds and not kinds <= {"string", "any"}:
        raise _contradiction(path, _words([own]), _words([theirs]))
    # A column of booleans is one of numbers to most estimators, and what takes anything leaves it to the other.
    kind = own.kind if theirs.kind == "any" or own.kind == "boolean" else theirs.kind
    # A type without fractions has no NaN either, unless the signature lets the column be absent.
    nullable = own.nullable and (theirs.nullable or not theirs.whole)
    return typed(replace(own, kind=kind, nullable=nullable), theirs.dtype)


def _contradiction(path: Path, own: str, theirs: str) -> ModelNotReady:
    return ModelNotReady(f"{path}: its signature says {theirs}, but the estimator takes {own}", Refusal.CORRUPT)


def _words(columns: Any) -> str:
    shown = [f"{column.name!a} ({column.kind})" for column in columns]
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")
