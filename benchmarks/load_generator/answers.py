"""Whether what was answered is what was expected."""

import json
from collections.abc import Sequence
from math import isclose
from typing import Any

from benchmarks.failures import WrongAnswer
from benchmarks.load_generator.forms import JSON, Form
from benchmarks.load_generator.plan import TOLERANCE

SHOWN = 300


def check(
    answers: set[tuple[int, bytes]], bodies: Sequence[bytes], expected: Sequence[Any], *,
    tolerance: float = TOLERANCE, form: Form = JSON,
) -> None:  # fmt: skip
    """Each answer with the number of its body; raises WrongAnswer for the first that lacks what is expected."""
    for body, answer in sorted(answers):
        try:
            given = form.document(answer)
        except ValueError:
            found: str | None = f"no {form.title}"
        else:
            found = difference(expected[body], given, tolerance=tolerance)
        if found is not None:
            raise WrongAnswer(
                f"body {body}, {bodies[body][:SHOWN]!r}, was answered {answer[:SHOWN]!r}, which has {found}; "
                f"expected {json.dumps(expected[body])[:SHOWN]}"
            )


def difference(expected: Any, given: Any, where: str = "", *, tolerance: float = TOLERANCE) -> str | None:
    """The first place where `given` is not what was expected, None where there is none; more keys are no difference."""
    if isinstance(expected, dict) and isinstance(given, dict):
        missing = expected.keys() - given.keys()
        if missing:
            return f"no {where}.{min(missing)}"
        return _first(difference(expected[key], given[key], f"{where}.{key}", tolerance=tolerance) for key in expected)
    if isinstance(expected, list) and isinstance(given, list):
        if len(expected) != len(given):
            return f"{len(given)} rather than {len(expected)} elements{_at(where)}"
        pairs = enumerate(zip(expected, given, strict=True))
        return _first(difference(*pair, f"{where}[{number}]", tolerance=tolerance) for number, pair in pairs)
    return None if _equal(expected, given, tolerance) else f"{json.dumps(given)[:SHOWN]}{_at(where)}"


def _equal(expected: Any, given: Any, tolerance: float) -> bool:
    if isinstance(expected, float) or isinstance(given, float):
        numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (expected, given))
        return numbers and isclose(expected, given, rel_tol=tolerance, abs_tol=tolerance)
    return type(expected) is type(given) and bool(expected == given)


def _first(differences: Any) -> str | None:
    return next((each for each in differences if each is not None), None)


def _at(where: str) -> str:
    return f" at {where}" if where else ""
