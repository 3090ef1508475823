"""The settings in force: what the environment and `.env` say of each knob, and what they misspell."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError

from app.settings import PREFIX, ROOT, Settings, environment_name

ENV_FILE = ROOT / ".env"


class SettingsInvalid(Exception):
    """One line a setting that is wrong, named as in the environment; values are not repeated, for some are secret."""


def load_settings(env_file: Path = ENV_FILE) -> Settings:
    """The settings in force: the environment, then `.env`, then the defaults; raises SettingsInvalid."""
    given = {**dotenv_values(env_file), **os.environ}
    unknown = _unknown_names(given)
    if unknown:
        raise SettingsInvalid("\n".join(unknown))
    try:
        return Settings(_env_file=env_file)  # type: ignore[call-arg]
    except ValidationError as error:
        raise SettingsInvalid("\n".join(_problem(detail) for detail in error.errors())) from None


def sources(env_file: Path = ENV_FILE) -> dict[str, str]:
    """Where each setting's value comes from, by the field's name."""
    in_file = dotenv_values(env_file)

    def source(name: str) -> str:
        if os.environ.get(name):
            return "environment"
        return env_file.name if in_file.get(name) else "default"

    return {field: source(environment_name(field)) for field in Settings.model_fields}


def _unknown_names(given: Mapping[str, Any]) -> list[str]:
    known = [environment_name(field) for field in Settings.model_fields]
    problems = []
    for name in sorted(set(given) - set(known)):
        if name.upper().startswith(PREFIX):
            close = difflib.get_close_matches(name.upper(), known, n=1)
            problems.append(f"{name} is not a setting" + (f"; did you mean {close[0]}?" if close else ""))
    return problems


def _problem(detail: Any) -> str:
    field = str(detail["loc"][0]) if detail["loc"] else ""
    name = environment_name(field) if field in Settings.model_fields else field
    return f"{name}: {detail['msg'].removeprefix('Value error, ')}".removeprefix(": ")
