"""The peers' virtual environments, one each."""

import os
from importlib import metadata

from benchmarks.failures import NotMeasurable
from benchmarks.peers.contract import BATCH_ROWS, BATCH_SECONDS, ENVIRONMENTS, ONE_THREAD, Place

SHARED = ("scikit-learn", "numpy", "joblib")


def program(peer: str, name: str = "python") -> str:
    """In the peer's environment; raises NotMeasurable where there is none."""
    found = ENVIRONMENTS / peer / "bin" / name
    if not found.exists():
        raise NotMeasurable(f"{peer} is not installed: make bench-peers installs it")
    return str(found)


def environment_of(peer: str, place: Place) -> dict[str, str]:
    """For a program of the peer's, with what an app in `apps/` reads."""
    return {
        **ONE_THREAD,
        "PATH": f"{ENVIRONMENTS / peer / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "ARTIFACT": str(place.artifact),
        "PORT": str(place.port),
        "CORES": str(place.cores),
        "BATCHING": "on" if place.batching else "off",
        "BATCH_ROWS": str(BATCH_ROWS),
        "BATCH_SECONDS": str(BATCH_SECONDS),
    }


def versions(peer: str) -> dict[str, str]:
    """What is installed of the peer itself and of what it shares with Forkcast; empty where nothing is."""
    folders = [str(each) for each in (ENVIRONMENTS / peer).glob("lib/python*/site-packages")]
    found = {each.name.lower(): each.version for each in metadata.distributions(path=folders)} if folders else {}
    return {name: found[name] for name in (peer, *SHARED) if name in found}
