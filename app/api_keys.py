"""Who may ask for what: API keys, of which a file holds the hashes alone; run as a program it makes one."""

import hashlib
import hmac
import re
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Scope = Literal["predict", "jobs", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
SECRET_BYTES = 32
MOST_KEY_CHARACTERS = 256
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
DIGEST = re.compile(r"[0-9a-f]{64}")
OTHERS_MAY_WRITE = 0o022
OTHERS_MAY_READ = 0o004


@dataclass(frozen=True, slots=True)
class Known:
    digest: bytes
    scopes: frozenset[Scope]


# Compared with where a name is unknown, so that this takes as long.
NOBODY = Known(b"\0" * 32, frozenset())


class ApiKeys:
    """By their names. A presented one is `name.secret`; the hash of its secret is compared in constant time."""

    def __init__(self, known: Mapping[str, Known]) -> None:
        self._known = known

    def scopes(self, presented: str | None) -> frozenset[Scope] | None:
        """None where there is no such key."""
        if presented is None or len(presented) > MOST_KEY_CHARACTERS:
            return None
        name, secret = name_of(presented), presented.partition(".")[2]
        known = self._known.get(name, NOBODY)
        same = hmac.compare_digest(_digest(secret), known.digest)
        return known.scopes if same else None


def name_of(presented: str) -> str:
    """Of a key that there is."""
    return presented.partition(".")[0]


def read_keys(path: Path) -> ApiKeys:
    """
    Of a file with `name sha256-of-the-secret scope,scope` a line; lines that begin with # are not looked at.

    Raises OSError, and ValueError for another file, or one that others may read or write.
    """
    mode = path.stat().st_mode
    if mode & (OTHERS_MAY_WRITE | OTHERS_MAY_READ):
        raise ValueError(f"{path}: others may read or write it; chmod 640")
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    parts = [line for line in lines if line and not line[0].startswith("#")]
    known = dict(_known(path, number, line) for number, line in enumerate(parts, start=1))
    if len(known) != len(parts) or not known:
        raise ValueError(f"{path}: has no key, or two of one name")
    return ApiKeys(known)


def _known(path: Path, number: int, line: list[str]) -> tuple[str, Known]:
    if len(line) != 3 or not NAME.fullmatch(line[0]) or not DIGEST.fullmatch(line[1]):
        raise ValueError(f"{path}: key {number} is no name, sha256 and scopes")
    return line[0], Known(bytes.fromhex(line[1]), _scopes(path, number, line[2].split(",")))


def _scopes(path: Path, number: int, named: list[str]) -> frozenset[Scope]:
    known = frozenset(scope for scope in SCOPES if scope in named)
    if len(known) != len(named):
        raise ValueError(f"{path}: key {number} has a scope beside {', '.join(SCOPES)}")
    return known


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def main(arguments: list[str]) -> int:
    """Make a key: it is shown once, and its line for the file has its hash."""
    if len(arguments) != 2 or not NAME.fullmatch(arguments[0]) or not set(arguments[1].split(",")) <= set(SCOPES):
        sys.stderr.write(f"usage: python -m app.api_keys NAME {','.join(SCOPES)}\n")
        return 2
    name, scopes = arguments
    secret = secrets.token_urlsafe(SECRET_BYTES)
    sys.stdout.write(f"key, which is not shown again: {name}.{secret}\n")
    sys.stdout.write(f"line for FORKCAST_API_KEYS_FILE: {name} {_digest(secret).hex()} {scopes}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
