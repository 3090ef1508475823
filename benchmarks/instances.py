"""Instances like the one that a model shows as its example: the same form, other values."""

import json
import random
from collections.abc import Mapping
from typing import Any

# Draws for each instance that is asked for: a model of few categories has few instances.
DRAWS = 20


def variations(example: Any, schema: Mapping[str, Any], *, count: int, seed: int) -> list[Any]:
    """
    The example, then distinct others that its JSON schema takes too: as many as asked for, or as there are.

    Numbers keep their sign and their order of magnitude, but for 0, which has neither; texts keep their words.
    """
    generator = random.Random(seed)
    found = {json.dumps(example): example}
    for _ in range(DRAWS * count):
        if len(found) == count:
            break
        drawn = varied(example, schema, generator)
        found.setdefault(json.dumps(drawn), drawn)
    return list(found.values())


def varied(value: Any, schema: Mapping[str, Any], generator: random.Random) -> Any:
    if isinstance(value, dict):
        columns = fitting(value, schema).get("properties", {})
        return {name: one_value(each, columns.get(name, {}), generator) for name, each in value.items()}
    return some_words(value, generator) if isinstance(value, str) else value


def one_value(value: Any, schema: Mapping[str, Any], generator: random.Random) -> Any:
    """Of one column; a null and a string that may be anything stay as they are."""
    schema = fitting(value, schema)
    if "enum" in schema:
        return generator.choice(schema["enum"])
    if isinstance(value, bool):
        return generator.random() < 0.5
    if schema.get("type") == "integer":
        least = max(schema.get("minimum", value - 9), value - 9 if value < 0 else max(0, value - 9))
        most = min(schema.get("maximum", value + 9), value + 9)
        return generator.randint(int(least), int(most))
    if isinstance(value, int | float):
        return round(value * 2 ** generator.uniform(-1, 1) if value else generator.uniform(-1, 1), 6)
    return value


def fitting(value: Any, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The alternative of the schema that is the value's own."""
    kinds = {bool: {"boolean"}, int: {"number", "integer"}, float: {"number", "integer"}, str: {"string"}}
    wanted = kinds.get(type(value), {"object"})
    for each in schema.get("anyOf", [schema]):
        if "enum" in each or each.get("type") in wanted:
            return dict(each)
    return {}


def some_words(text: str, generator: random.Random) -> str:
    words = text.split() or [text]
    return " ".join(generator.sample(words, generator.randint(1, len(words))))
