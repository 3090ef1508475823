"""Where Forkcast deliberately answers otherwise than MLflow's server, and why."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """The status of either; 200 of both stands for other predictions."""

    mlflow: int
    forkcast: int
    reason: str


Differences = dict[str, Difference]


def _all(reason: str, mlflow: int, forkcast: int, *names: str) -> Differences:
    return {name: Difference(mlflow, forkcast, reason) for name in names}


OWN_HEALTH = "/health is Forkcast's own and tells its state; /ping is MLflow's"
HEADER_NAMES = "a media type and its parameters have no case, and a charset may be quoted (RFC 9110, 8.3)"
NO_TYPE = "a body without a type is JSON; MLflow's server fails"
ONLY_UTF_8 = "JSON is UTF-8 (RFC 8259, 8.1)"
BY_POSITION = "values without names are in the order of the model's columns"
NO_FRAME = (
    "rows are lists, with their names beside them; what else pandas would make of them is no form of the protocol"
)
NO_CUT = "a fraction is no whole number, and one beyond its type none of it; MLflow cuts and wraps them in silence"
OF_DOUBLES = "a whole number may have 2^53 - 1 at most: up to it each has a double of its own"
NO_CAST = "a value of another type is refused, not cast: to MLflow 'false' is true, and null is false"
SINGLE = "a number may have 3.4e38 at most: what trees cannot hold is refused by its column's name"
NO_INDEX = "a row with more values than the header has names is refused; pandas takes the first for an index"
BY_NAME = "columns have names without a signature as well: their order, and more of them, are no error"
ONE_TEXT = "a model of texts takes one text an instance, in any form; MLflow gives it a table, which it cannot read"
TEXT_LENGTH = "a text has 1 to 10,000 characters in every dialect"
A_LIST = "a bare value is one instance, as in a list of one"
NAMED_ARRAY = "the columns of an array have names, x0 and so on"
ROW_IS_LIST = "an instance is a row of values, not one column of rows"
NO_NAN = "a column that must not be null takes no null, and JSON has no NaN to answer"
CSV_OF_TENSORS = "CSV is read for every signature; MLflow reads none for a tensor"

ONE_EACH = "a function answers an instance each, so that requests can share a call; another answer is its failure"
NOT_ITS_CALLERS = "a function that fails has failed, whoever asked it, and that is 500"

TEXTS_REFUSED_THERE = ("inputs, string", "inputs, lists of one", "inputs, object", "instances, objects")
TEXTS_OF_TABLES = ("instances, objects", "split", "records", "csv")

DIFFERENCES: dict[str, Differences] = {
    "flowers": {
        **_all(OWN_HEALTH, 200, 200, "health"),
        **_all(HEADER_NAMES, 415, 200, "type with quoted charset", "type with a name of charset in large letters"),
        **_all(HEADER_NAMES, 415, 200, "type in large letters"),
        **_all(NO_TYPE, 500, 200, "no type"),
        **_all(ONLY_UTF_8, 200, 400, "UTF-16"),
        **_all(BY_POSITION, 400, 200, "split, no columns", "instances, lists", "instances, objects and lists"),
        **_all(BY_POSITION, 400, 200, "inputs, lists"),
        **_all(NO_FRAME, 200, 400, "split, data of objects", "split, data of columns", "inputs, scalars and a list"),
        **_all(NO_CUT, 200, 400, "fraction for long", "fraction for long, inputs", "fraction for long, instances"),
        **_all(NO_CUT, 200, 400, "long beyond 64 bits"),
        **_all(OF_DOUBLES, 200, 400, "long of 2**53 + 1"),
        **_all(NO_CAST, 200, 400, "number in a string for double", "number in a string for double, inputs"),
        **_all(NO_CAST, 200, 400, "number in a string for long", "boolean for double", "boolean for long"),
        **_all(SINGLE, 200, 400, "huge double"),
        **_all(NO_INDEX, 200, 400, "csv, every row too long"),
    },
    "flowers-unsigned": {
        **_all(BY_NAME, 400, 200, "split, other order", "records, extra column", "csv, other order"),
        **_all(BY_NAME, 400, 200, "instances, objects", "inputs, object of columns", "inputs, objects"),
        **_all(NO_CAST, 200, 400, "number in a string", "boolean"),
    },
    "flats": {
        **_all(NO_CUT, 200, 400, "beyond an integer", "fraction for integer"),
        **_all(BY_POSITION, 400, 200, "lists"),
    },
    "visitors": {
        **_all(NO_CAST, 200, 400, "number for string", "number for string, inputs", "boolean for string"),
        **_all(NO_CAST, 200, 400, "1 for boolean", "1 for boolean, inputs", "2 for boolean", "string for boolean"),
        **_all(NO_CAST, 200, 400, "false in a string for boolean", "null for boolean", "null for boolean in one"),
        **_all(BY_POSITION, 400, 200, "lists"),
    },
    "reviews": _all(A_LIST, 400, 200, "inputs, string", "inputs, lists of one"),
    "texts": {
        **_all(ONE_TEXT, 400, 200, *TEXTS_REFUSED_THERE),
        **_all(TEXT_LENGTH, 200, 400, "inputs, empty string"),
        **_all(NO_CAST, 200, 400, "inputs, null", "inputs, numbers", "inputs, string and number"),
        **_all(CSV_OF_TENSORS, 400, 200, "csv"),
    },
    "texts-unsigned": {
        **_all(ONE_TEXT, 400, 200, "inputs, string", "inputs, lists of one", "split, no columns"),
        **_all(ONE_TEXT, 200, 200, "inputs, object", *TEXTS_OF_TABLES),
        **_all(TEXT_LENGTH, 200, 400, "inputs, empty string"),
        **_all(NO_CAST, 200, 400, "inputs, string and number"),
    },
    "array": {
        **_all(NAMED_ARRAY, 400, 200, "inputs, object", "instances, objects"),
        **_all(NO_CAST, 200, 400, "inputs, numbers in strings", "inputs, boolean"),
        **_all(SINGLE, 200, 400, "inputs, huge"),
        **_all(ROW_IS_LIST, 200, 400, "split, one column of lists"),
        **_all(CSV_OF_TENSORS, 400, 200, "csv", "csv, no header"),
    },
    "array-unsigned": {
        **_all(NAMED_ARRAY, 400, 200, "inputs, object", "instances, objects"),
        **_all(NO_CAST, 200, 400, "inputs, boolean"),
        **_all(SINGLE, 200, 400, "inputs, huge"),
    },
    "scaled": {
        **_all(A_LIST, 400, 200, "inputs, scalar"),
        **_all(NO_NAN, 200, 400, "answer with NaN"),
        **_all(ONE_EACH, 200, 500, "answer object", "answer scalar"),
        **_all(NOT_ITS_CALLERS, 400, 500, "answer unknown, the function fails"),
    },
    "texts-listed": {
        **_all(ONE_TEXT, 400, 200, "inputs", "instances", "split, no columns"),
        **_all(ONE_TEXT, 400, 200, "inputs, string", "inputs, lists of one", "inputs, object"),
        **_all(ONE_TEXT, 200, 200, *TEXTS_OF_TABLES),
    },
}
NOT_SERVED = {"dated": "a column of dates and times has no form that all dialects share"}
