"""The types that an operator trusts beyond those that skops does, from a file of one dotted name a line."""

import re
from pathlib import Path

from app.errors import ModelNotReady, Refusal
from app.runtimes.checked_files import read_unwritable

MOST_BYTES = 2**20
DOTTED_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


def read_trusted_types(path: Path | None) -> list[str]:
    """Whatever follows a `#` is a comment; raises ModelNotReady where others could write the file, or it is none."""
    if path is None:
        return []
    data = read_unwritable(path, MOST_BYTES)
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ModelNotReady(f"{path}: is no text of types to trust", Refusal.UNTRUSTED) from error
    named = [line.partition("#")[0].strip() for line in lines]
    for number, name in enumerate(named, start=1):
        if name and not DOTTED_NAME.fullmatch(name):
            raise ModelNotReady(f"{path}: line {number} is no dotted name of a type", Refusal.UNTRUSTED)
    return [name for name in named if name]
