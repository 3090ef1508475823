"""What a caller says to a model beside its instances."""

from typing import Any

import pytest

from app.errors import BadInput
from app.parameters import Parameter, checked

KNOWN = (
    Parameter("factor", "double"), Parameter("offset", "long"), Parameter("small", "integer"),
    Parameter("unit", "string"), Parameter("rounded", "boolean"), Parameter("weights", "double", listed=True),
)  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"factor": 2, "offset": -3, "unit": "m", "rounded": True, "weights": [1, 2.5]},
        {"factor": None, "weights": []},
        {"small": 2**31 - 1, "offset": -(2**63)},
    ],
)
def test_what_fits_is_taken_as_it_is(given: dict[str, Any]) -> None:
    assert checked(KNOWN, given, "params") == given


def test_none_at_all_are_none_and_what_is_not_known_is_passed_over() -> None:
    assert checked(KNOWN, None, "params") == {}
    assert checked(KNOWN, {"SECRET": 1, "unit": "m"}, "params") == {"unit": "m"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([1], "params: must be an object"),
        ({"factor": "2"}, "params.factor: must be a number"),
        ({"factor": True}, "params.factor: must be a number"),
        ({"offset": 2.0}, "params.offset: must be a whole number"),
        ({"offset": True}, "params.offset: must be a whole number"),
        ({"small": 2**31}, "params.small: must be a whole number"),
        ({"unit": 5}, "params.unit: must be a string"),
        ({"rounded": 1}, "params.rounded: must be true or false"),
        ({"weights": 1.0}, "params.weights: must be a list, of which each is a number"),
        ({"weights": [[1.0]]}, "params.weights: must be a list, of which each is a number"),
        ({"factor": [1.0]}, "params.factor: must be a number"),
    ],
)
def test_what_does_not_fit_is_told_by_its_name(given: Any, told: str) -> None:
    with pytest.raises(BadInput) as refused:
        checked(KNOWN, given, "params")

    assert str(refused.value) == told
