"""What a caller may say beside its instances to a model that was saved with such parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from app.errors import BadInput, Problem

ParameterType = Literal["string", "boolean", "integer", "long", "float", "double"]
TYPES: tuple[ParameterType, ...] = get_args(ParameterType)
WORDS: dict[ParameterType, str] = {
    "string": "a string", "boolean": "true or false", "integer": "a whole number", "long": "a whole number",
    "float": "a number", "double": "a number",
}  # fmt: skip
KINDS: dict[ParameterType, tuple[type, ...]] = {
    "string": (str,), "boolean": (bool,), "integer": (int,), "long": (int,), "float": (int, float),
    "double": (int, float),
}  # fmt: skip
# What 32 and 64 bits hold.
LIMITS: dict[ParameterType, int] = {"integer": 2**31, "long": 2**63}


@dataclass(frozen=True, slots=True)
class Parameter:
    """Of MLflow's `type`; `listed` is whether it is a list of such values."""

    name: str
    type: ParameterType
    listed: bool = False

    def problem(self, value: Any) -> str | None:
        """The reason why it cannot have the value, or None; null is any model's to understand."""
        if value is None:
            return None
        if self.listed:
            fits = isinstance(value, list) and all(map(self._fits, value))
            return None if fits else f"must be a list, of which each is {WORDS[self.type]}"
        return None if self._fits(value) else f"must be {WORDS[self.type]}"

    def _fits(self, value: Any) -> bool:
        if type(value) not in KINDS[self.type]:
            return False
        limit = LIMITS.get(self.type)
        return limit is None or -limit <= value < limit


def checked(known: Sequence[Parameter], given: Any, field: str) -> dict[str, Any]:
    """Those of the `known` that are given, in the caller's `field`; others are passed over. Raises BadInput."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise BadInput([Problem(field, "must be an object")])
    present = [parameter for parameter in known if parameter.name in given]
    problems = [(each.name, each.problem(given[each.name])) for each in present]
    wrong = [Problem(f"{field}.{name}", reason) for name, reason in problems if reason is not None]
    if wrong:
        raise BadInput(wrong)
    return {parameter.name: given[parameter.name] for parameter in present}
