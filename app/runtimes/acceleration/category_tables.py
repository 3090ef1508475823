"""What a fitted encoder makes of each category, asked of the encoder itself."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sklearn.preprocessing import OneHotEncoder

from app.column import Column

# In place of a code, of a value that the encoder would refuse.
REFUSED = object()
# The kinds of numpy types whose values an encoder compares as Python does.
KINDS = {"string": "OU", "number": "iuf", "boolean": "b"}
ROWS_AT_ONCE = 1024


class CategoryTable(dict[Any, Any]):
    """
    By category its code: of an OrdinalEncoder the number, of a OneHotEncoder the place of the 1 (None where all are 0).

    Looking up what is not in it gives the code of a missing or an unknown value.
    """

    missing: Any = REFUSED
    unknown: Any = REFUSED

    def __missing__(self, value: Any) -> Any:
        if type(value) is not float:
            return self.unknown
        if value != value:
            return self.missing
        return self.unknown if abs(value) < np.inf else REFUSED


def tables(encoder: Any, columns: Sequence[Column], fills: Sequence[Any] | None) -> list[CategoryTable] | None:
    """
    One a column; None where values of these kinds cannot be looked up as the encoder compares them. `fills` replace
    missing values before the encoder sees them.
    """
    if not all(map(_comparable, columns, encoder.categories_)):
        return None
    known = [categories.tolist() for categories in encoder.categories_]
    widths = encoder._n_features_outs if isinstance(encoder, OneHotEncoder) else [1] * len(known)
    found = []
    for position, first in enumerate(np.cumsum([0, *widths[:-1]]).tolist()):
        table = _asked(encoder, position, known, slice(first, first + widths[position]))
        if fills is not None:
            table.missing = table[fills[position]]
        found.append(table)
    return found


def _comparable(column: Column, categories: Any) -> bool:
    if categories.dtype.kind not in KINDS.get(column.kind, "") or (column.kind == "boolean" and column.nullable):
        return False
    return column.kind != "string" or all(isinstance(value, str) or value != value for value in categories.tolist())


def _asked(encoder: Any, position: int, known: Sequence[Sequence[Any]], part: slice) -> CategoryTable:
    """Of one column, with each other column at its first category; `part` of what comes out is its own."""
    table = CategoryTable()
    values = list(known[position])
    if _takes_unknown(encoder):
        longest = max((value for value in values if isinstance(value, str)), key=len, default="")
        *codes, table.unknown, table.missing = _codes(encoder, position, known, part, [*values, f"{longest}?", np.nan])
    else:
        codes = list(_codes(encoder, position, known, part, values))
    for value, code in zip(values, codes, strict=True):
        if value != value:
            table.missing = code
        else:
            table[value] = code
    return table


def _codes(
    encoder: Any, position: int, known: Sequence[Sequence[Any]], part: slice, values: Sequence[Any]
) -> Iterable[Any]:
    asked = copy.copy(encoder)
    for name in ("feature_names_in_", "_sklearn_output_config"):
        vars(asked).pop(name, None)
    for start in range(0, len(values), ROWS_AT_ONCE):
        some = values[start : start + ROWS_AT_ONCE]
        rows = np.empty((len(some), len(known)), dtype=object)
        rows[:] = [categories[0] for categories in known]
        rows[:, position] = some
        encoded = asked.transform(rows)[:, part]
        if isinstance(encoder, OneHotEncoder):
            dense = encoded.toarray() if encoder.sparse_output else encoded
            yield from (part.start + int(row.argmax()) if row.any() else None for row in dense)
        else:
            yield from encoded[:, 0].astype(np.float64).tolist()


def _takes_unknown(encoder: Any) -> bool:
    """Whether it takes an unknown value without a word."""
    if isinstance(encoder, OneHotEncoder):
        return encoder.drop is None and encoder.handle_unknown in ("ignore", "infrequent_if_exist")
    return bool(encoder.handle_unknown == "use_encoded_value")
