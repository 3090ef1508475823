"""A CSV file as what a model learns from: texts or typed columns, and the target."""

import reprlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy
import pandas

from app.column import MOST_TEXT_CHARACTERS, Column
from app.runtimes.base import Task
from app.training.columns import holds_dates, holds_free_text, holds_too_large_numbers, typed_column
from app.training.csv_file import TrainingRefused, read_frame

FEWEST_ROWS = 20
# A number with more distinct values than this is a quantity, not a class.
MOST_NUMERIC_CLASSES = 20
MOST_NAMES_SHOWN = 10
SHORT = reprlib.Repr()
SHORT.maxstring = 60


@dataclass(frozen=True)
class Dataset:
    """
    `features` is a series of texts, or a frame with the typed `columns`; `target` has no missing value.

    `left_out` rows of the file had no target: nothing there, or a word that says so, such as NA.
    """

    features: Any
    target: Any
    columns: tuple[Column, ...] | None
    task: Task
    left_out: int = 0

    @property
    def text(self) -> bool:
        return self.columns is None

    @property
    def sendable(self) -> Any:
        """The positions of the rows that a request may hold: a text to learn from may be longer than one sent."""
        if self.columns is None:
            return numpy.flatnonzero(self.features.str.len() <= MOST_TEXT_CHARACTERS)
        return numpy.arange(len(self.target))

    def instance(self, row: int) -> Any:
        """One instance in the JSON form that a request has."""
        if self.columns is None:
            return str(self.features.iloc[row])
        values = self.features.iloc[row].to_dict()
        return {c.name: None if pandas.isna(values[c.name]) else _json(values[c.name], c) for c in self.columns}


def read_dataset(path: Path, target: str | None) -> Dataset:
    """
    Read a file with the columns text and label, or any table with the column `target`.

    Raises TrainingRefused.
    """
    frame = read_frame(path)
    wanted = target or "label"
    if wanted not in frame.columns:
        raise TrainingRefused(f"{path.name} has no column {wanted!r}; it has {_listed(frame.columns)}")
    answers = _answers(frame[wanted])
    _check_rows(len(answers), path.name, f"with a {wanted!r}")
    features = frame.loc[answers.index].drop(columns=wanted)
    if target is None or (list(features.columns) == ["text"] and holds_free_text(features["text"])):
        if "text" not in features.columns:
            raise TrainingRefused(f"{path.name} has no column 'text'; for a table say which column is the TARGET")
        return replace(_texts(features["text"], answers, path.name), left_out=len(frame) - len(answers))
    if features.empty:
        raise TrainingRefused(f"{path.name} has no column but {wanted!r}")
    columns = tuple(typed_column(features[name]) for name in features.columns)
    return Dataset(features, answers, columns, _task(answers), left_out=len(frame) - len(answers))


def _texts(texts: Any, answers: Any, file: str) -> Dataset:
    texts = texts.dropna().astype(str)
    texts = texts[texts.str.strip() != ""]
    # Shorter words are none to the vectorizer, and longer texts can be learned from but not asked about.
    usable = texts.str.contains(r"\w\w") & (texts.str.len() <= MOST_TEXT_CHARACTERS)
    _check_rows(usable.sum(), file, f"whose 'text' has a word and at most {MOST_TEXT_CHARACTERS} characters")
    answers = answers.loc[texts.index]
    return Dataset(texts, answers, None, _task(answers))


def _check_rows(count: int, file: str, what: str) -> None:
    if count < FEWEST_ROWS:
        raise TrainingRefused(f"{file} has {count} rows {what}; at least {FEWEST_ROWS} are needed")


def _answers(values: Any) -> Any:
    """The values that are there, of the type they have in the file: beside a missing one pandas has 1 as 1.0."""
    present = values.dropna().infer_objects()
    if len(present) == len(values) or not pandas.api.types.is_float_dtype(present):
        return present
    whole = (present % 1 == 0) & (present.abs() < 2**53)
    return present.astype("int64") if whole.all() else present


def _task(answers: Any) -> Task:
    name = str(answers.name)
    if holds_dates(answers):
        raise TrainingRefused(f"the target {name!r} holds dates; make a number or a class of them first")
    if holds_too_large_numbers(answers):
        raise TrainingRefused(f"the target {name!r} holds a number that is infinite or too large")
    counts = answers.value_counts()
    numeric = pandas.api.types.is_numeric_dtype(answers) and not pandas.api.types.is_bool_dtype(answers)
    if numeric and (len(counts) > MOST_NUMERIC_CLASSES or (answers % 1 != 0).any()):
        return "regression"
    if len(counts) < 2:
        raise TrainingRefused(f"the target {name!r} has only one value")
    if counts.iloc[-1] < 5:
        rarest = SHORT.repr(counts.index.tolist()[-1])
        raise TrainingRefused(f"the target {name!r} has the value {rarest} in fewer than 5 rows")
    return "classification"


def _listed(names: Iterable[str]) -> str:
    shown = [SHORT.repr(name) for name in names]
    more = len(shown) - MOST_NAMES_SHOWN
    return ", ".join(shown[:MOST_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _json(value: Any, column: Column) -> Any:
    if column.kind == "number":
        return float(value)
    return bool(value) if column.kind == "boolean" else str(value)
