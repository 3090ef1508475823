"""Reading the user's CSV file into a frame, or refusing it in one sentence."""

import warnings
from collections import Counter
from pathlib import Path

import pandas
from pandas.errors import ParserWarning


class TrainingRefused(ValueError):
    """One sentence about what the file lacks, for the person who gave it."""


def read_frame(path: Path) -> pandas.DataFrame:
    """The rows under the header, each value in the column that it stands in; raises TrainingRefused."""
    try:
        names = pandas.read_csv(
            path, header=None, nrows=1, dtype=str, keep_default_na=False, skipinitialspace=True
        ).iloc[0]
        frame = _rows(path)
    except OSError as error:
        raise TrainingRefused(f"{path}: {error.strerror or error}") from error
    except ParserWarning as error:
        raise TrainingRefused(f"{path.name} has rows with more values than the header has names") from error
    except (ValueError, EOFError) as error:
        raise TrainingRefused(f"{path.name} cannot be read as CSV: {' '.join(str(error).split())}") from error
    # pandas renames the second `a` to `a.1`, a name that no request would use.
    for name, count in Counter(names).items():
        if name and count > 1:
            raise TrainingRefused(f"{path.name} has {count} columns named {name!r}")
    if not str(names.iloc[0]).strip():
        raise TrainingRefused(
            f"{path.name} has no name over its first column; if it only counts the rows, leave it out"
        )
    return frame


def _rows(path: Path) -> pandas.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ParserWarning)
        # By default pandas takes a surplus first value for the row's name, and guesses the types of a long
        # column piece by piece, so that it may hold both numbers and strings.
        return pandas.read_csv(path, skipinitialspace=True, index_col=False, low_memory=False)
