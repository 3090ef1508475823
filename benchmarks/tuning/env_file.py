"""The choice as a file of settings, which `sh` and systemd's EnvironmentFile read alike."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.failures import NotMeasurable

# What both take for itself, without quotes.
PLAIN = re.compile(r"[\w./:-]+")


def text(settings: Mapping[str, str], facts: Sequence[str]) -> str:
    """The facts as comments, then a setting a line."""
    odd = [name for name, value in settings.items() if not PLAIN.fullmatch(value)]
    if odd:
        raise ValueError(f"not read alike by sh and systemd: {', '.join(odd)}")
    # A backslash at its end would make the next line part of a comment for systemd.
    comments = [f"# {' '.join(fact.split())}".rstrip("\\") for fact in facts]
    return "\n".join([*comments, *(f"{name}={value}" for name, value in settings.items())]) + "\n"


def write(file: Path, settings: Mapping[str, str], facts: Sequence[str]) -> None:
    """In the place of an earlier choice; whole or not at all."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        unfinished.write_text(text(settings, facts), encoding="utf-8")
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def check_place(file: Path) -> None:
    """Before anything is measured; raises NotMeasurable where the file could not be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise NotMeasurable(f"{file} cannot be written: {error.strerror}") from error
    if file.is_dir():
        raise NotMeasurable(f"{file} is a folder, and the settings are a file")
