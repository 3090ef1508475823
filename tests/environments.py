"""The environment of programs that tests start, and of the tests themselves."""

import os

from app.settings import PREFIX, Settings, environment_name

SETTINGS = {environment_name(field) for field in Settings.model_fields}
# What an outer make hands down would make an inner one speak as "make[1]" and share its job server.
OF_MAKE = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}


def is_setting(name: str) -> bool:
    """Whether Forkcast reads the variable, or would refuse it as misspelt."""
    return name in SETTINGS or name.startswith(PREFIX)


def own_environment() -> dict[str, str]:
    """This process's environment, without what would change Forkcast or make."""
    return {name: value for name, value in os.environ.items() if not is_setting(name) and name not in OF_MAKE}
