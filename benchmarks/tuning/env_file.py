"""The choice as a file of settings, which `sh` and systemd's EnvironmentFile read alike."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

# What both take for itself, without quotes.
PLAIN = re.compile(r"[\w./:-]+")


def text(settings: Mapping[str, str], facts: Sequence[str]) -> str:
    """The facts as comments, then a setting a line."""
    odd = [name for name, value in settings.items() if not PLAIN.fullmatch(value)]
    if odd:
        raise ValueError(f"not read alike by sh and systemd: {', '.join(odd)}")
    comments = [f"# {' '.join(fact.split())}" for fact in facts]
    return "\n".join([*comments, *(f"{name}={value}" for name, value in settings.items())]) + "\n"


def write(file: Path, settings: Mapping[str, str], facts: Sequence[str]) -> None:
    """In the place of an earlier choice; whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.unfinished")
    unfinished.write_text(text(settings, facts))
    unfinished.replace(file)
