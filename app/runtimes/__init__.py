"""One contract, many formats: `load_runtime` imports only the one that is chosen."""

from pathlib import Path

from app.errors import ModelNotReady
from app.runtimes.base import Runtime


def load_runtime(uri: str, *, pin: str | None, max_bytes: int) -> Runtime:
    """
    Load the artifact at `uri`, a path; raises ModelNotReady with the reason.

    Neither predicts nor starts a thread, so that the arbiter may call it before it forks.
    """
    path = Path(uri)
    if path.suffix in (".joblib", ".pkl", ".pickle"):
        from app.runtimes.joblib_impl import load

        return load(path, pin=pin, max_bytes=max_bytes)
    raise ModelNotReady(f"{uri}: is none of the formats served (.joblib, .pkl, .pickle)")
