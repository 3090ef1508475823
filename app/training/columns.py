"""What a column of the user's table holds, and whether a model can learn from it and be asked with it."""

import re
from typing import Any

import pandas

from app.column import LARGEST_NUMBER, MOST_TEXT_CHARACTERS, Column, Kind
from app.training.csv_file import TrainingRefused

MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
DAY = r"\d{1,2}(st|nd|rd|th)?\.?"
DATE = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
    rf"|{DAY}[ -]{MONTH}[ -]\d{{2,4}}|{MONTH} {DAY},? \d{{4}})([T ,].*)?",
    re.IGNORECASE,
)
# Beyond this a string column holds names or sentences, which a table model would learn by heart.
MOST_CATEGORIES = 1_000
WORDS_OF_FREE_TEXT = 4


def typed_column(values: Any) -> Column:
    """The column as requests will have it; raises TrainingRefused."""
    name = str(values.name)
    present = values.dropna()
    if present.empty:
        raise TrainingRefused(f"the column {name!r} is empty")
    if holds_dates(present):
        raise TrainingRefused(f"the column {name!r} holds dates; make numbers of them first, such as days since then")
    if holds_too_large_numbers(present):
        raise TrainingRefused(f"the column {name!r} holds a number that is infinite or too large")
    kind: Kind = "string"
    if pandas.api.types.is_bool_dtype(present) or set(map(type, present)) == {bool}:
        kind = "boolean"
    elif pandas.api.types.is_numeric_dtype(present):
        kind = "number"
    else:
        _check_strings(name, present)
    return Column(name, kind, nullable=len(present) < len(values))


def holds_dates(values: Any) -> bool:
    """Whether nearly all of the first values that are there look like dates."""
    if pandas.api.types.is_numeric_dtype(values) or pandas.api.types.is_bool_dtype(values):
        return False
    sample = values.dropna().astype(str).head(200)
    return bool(len(sample)) and sum(DATE.fullmatch(value.strip()) is not None for value in sample) > 0.9 * len(sample)


def holds_free_text(values: Any) -> bool:
    """Whether the first values are mostly different and of several words."""
    if pandas.api.types.is_numeric_dtype(values):
        return False
    sample = values.dropna().astype(str).head(500)
    return bool(sample.str.split().str.len().mean() >= WORDS_OF_FREE_TEXT and sample.nunique() > 0.5 * len(sample))


def holds_too_large_numbers(values: Any) -> bool:
    """Whether a number is infinite, beyond what a request may hold, or a whole number of more than 64 bits."""
    if pandas.api.types.is_bool_dtype(values) or not pandas.api.types.is_numeric_dtype(values):
        # pandas keeps such whole numbers as Python objects.
        return pandas.api.types.infer_dtype(values, skipna=True) == "integer"
    return bool((values.abs() > LARGEST_NUMBER).any())


def _check_strings(name: str, present: Any) -> None:
    if holds_free_text(present) or present.nunique() > MOST_CATEGORIES:
        raise TrainingRefused(f"the column {name!r} holds free text or names; leave it out, or train on text and label")
    if present.astype(str).str.len().max() > MOST_TEXT_CHARACTERS:
        raise TrainingRefused(f"the column {name!r} holds a string of more than {MOST_TEXT_CHARACTERS} characters")
