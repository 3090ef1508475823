"""Requests of models that were fitted on an array or on a list of texts."""

from mlflow_requests import NAN, csv, records, split

ROWS = [[5.1, 1.4, 3.0], [6.9, 4.9, 5.0]]
TEXTS = ["a warm and dull film", "great"]
BOTH = {
    "inputs": {"inputs": ROWS},
    "inputs, whole numbers": {"inputs": [[5, 1, 3], [7, 5, 5]]},
    "inputs, one flat list": {"inputs": ROWS[0]},
    "inputs, deeper": {"inputs": [ROWS]},
    "inputs, too few columns": {"inputs": [[5.1, 1.4]]},
    "inputs, too many columns": {"inputs": [[5.1, 1.4, 3.0, 1.0]]},
    "inputs, rows of several lengths": {"inputs": [[5.1, 1.4, 3.0], [5.1]]},
    "inputs, empty": {"inputs": []},
    "inputs, an empty row": {"inputs": [[]]},
    "inputs, scalar": {"inputs": 5.1},
    "inputs, object": {"inputs": {"x0": [5.1], "x1": [1.4], "x2": [3.0]}},
    "inputs, null": {"inputs": [[None, 1.4, 3.0]]},
    "inputs, NaN": {"inputs": [[NAN, 1.4, 3.0]]},
    "inputs, numbers in strings": {"inputs": [["5.1", "1.4", "3.0"]]},
    "inputs, word": {"inputs": [["long", 1.4, 3.0]]},
    "inputs, boolean": {"inputs": [[True, 1.4, 3.0]]},
    "inputs, huge": {"inputs": [[1e300, 1.4, 3.0]]},
    "instances": {"instances": ROWS},
    "instances, one flat list": {"instances": ROWS[0]},
    "instances, objects": {"instances": [{"x0": 5.1, "x1": 1.4, "x2": 3.0}]},
    "split": split(["a", "b", "c"], *ROWS),
    "split, no columns": split(None, *ROWS),
    "split, whole numbers": split(None, [5, 1, 3]),
    "split, too few columns": split(None, [5.1, 1.4]),
    "split, one column of lists": split(["rows"], [ROWS[0]], [ROWS[1]]),
    "split, empty": split(None),
    "records": records({"a": 5.1, "b": 1.4, "c": 3.0}),
    "csv": csv("a,b,c", "5.1,1.4,3.0", "6.9,4.9,5.0"),
    "csv, no header": csv("5.1,1.4,3.0", "6.9,4.9,5.0"),
}
TEXT = {
    "inputs": {"inputs": TEXTS},
    "inputs, string": {"inputs": TEXTS[0]},
    "inputs, lists of one": {"inputs": [[text] for text in TEXTS]},
    "inputs, empty": {"inputs": []},
    "inputs, empty string": {"inputs": [""]},
    "inputs, null": {"inputs": [None]},
    "inputs, numbers": {"inputs": [5, 6]},
    "inputs, string and number": {"inputs": ["great", 5]},
    "inputs, object": {"inputs": {"text": TEXTS}},
    "instances": {"instances": TEXTS},
    "instances, objects": {"instances": [{"text": text} for text in TEXTS]},
    "split": split(["text"], *([text] for text in TEXTS)),
    "split, no columns": split(None, *([text] for text in TEXTS)),
    "records": records(*({"text": text} for text in TEXTS)),
    "csv": csv("text", *TEXTS),
}
