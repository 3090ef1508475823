"""What the tests of runtimes share: artifacts on disk, the interpreter's audit events, and a guard against hanging."""

import hashlib
import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest
from threadpoolctl import threadpool_limits

from app.errors import ModelNotReady
from app.runtimes import load_runtime
from app.runtimes.artifact import manifest_path
from app.runtimes.base import Runtime
from tests.runtimes import models
from tests.runtimes.mlflow_saving import quiet_mlflow

Listener = Callable[[str, tuple[Any, ...]], None]
LISTENERS: list[Listener] = []


class StillWaiting(Exception):
    """Not an OSError, so that no handler takes it for a refusal."""


@pytest.fixture(scope="session", autouse=True)
def one_native_thread() -> Iterator[None]:
    """On tiny models threads of native libraries only wait for each other; services run with one as well."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def audit_hook() -> None:
    """Added once: an audit hook stays as long as the process."""
    sys.addaudithook(lambda event, args: [listener(event, args) for listener in LISTENERS] and None)


@pytest.fixture
def listen(audit_hook: None) -> Iterator[Callable[[Listener], None]]:
    """Calls a listener at each audit event of this test."""
    yield LISTENERS.append
    LISTENERS.clear()


@pytest.fixture
def unpickled(listen: Callable[[Listener], None]) -> list[str]:
    """The classes and functions that unpickling looked up in this test."""
    found: list[str] = []
    listen(lambda event, args: found.append(f"{args[0]}.{args[1]}") if event == "pickle.find_class" else None)
    return found


@pytest.fixture
def within_seconds() -> Iterator[None]:
    """Ends a test that hangs."""

    def give_up(*_: Any) -> None:
        raise StillWaiting

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(2)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Writes an artifact, with a manifest where members of one are given."""

    def write(content: Any, file: str = "churn.joblib", **manifest: Any) -> Path:
        path = tmp_path / file
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            joblib.dump(content, path)
        if manifest:
            members = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), **manifest}
            manifest_path(path).write_text(json.dumps(members))
        return path

    return write


@pytest.fixture
def serve(save: Callable[..., Path]) -> Callable[..., Runtime]:
    """An artifact's content as the server loads it."""

    def load(content: Any, file: str = "churn.joblib", **manifest: Any) -> Runtime:
        return load_runtime(str(save(content, file, **manifest)), pin=None, max_bytes=2**24)

    return load


@pytest.fixture(scope="module")
def saved_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder of each model, saved once for all tests here."""
    from tests.runtimes.formats import save_for_mlflow

    folder, saved = tmp_path_factory.mktemp("saved"), {}

    def save(name: str) -> Path:
        if name not in saved:
            saved[name] = folder / name.replace(" ", "_")
            save_for_mlflow(models.model(name), saved[name])
        return saved[name]

    return save


@pytest.fixture
def save_folder(saved_once: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of it, named `churn`."""
    return lambda name: Path(shutil.copytree(saved_once(name), tmp_path / "churn"))


@pytest.fixture
def churn(save_folder: Callable[[str], Path]) -> Path:
    return save_folder("naive Bayes")


@pytest.fixture
def save_function(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """A folder of a Python function of MLflow; loading and calling it gives the advice that saving gives."""
    from tests.runtimes.mlflow_folders import calling

    with quiet_mlflow():
        import mlflow.pyfunc

        def save(function: Callable[[Any], Any], inputs: Any, **options: Any) -> Path:
            signature = mlflow.models.infer_signature(inputs) if inputs is not None else None
            path = tmp_path / "function"
            options = {"pip_requirements": ["numpy"], "signature": signature, **options}
            mlflow.pyfunc.save_model(path, python_model=calling()(function), **options)
            return path

        yield save


@pytest.fixture
def refusal(save: Callable[..., Path]) -> Callable[..., ModelNotReady]:
    """What is said of an ONNX file that is not served; its path aside."""

    def refused(content: bytes, **manifest: Any) -> ModelNotReady:
        path = save(content, "churn.onnx", **manifest)
        with pytest.raises(ModelNotReady) as caught:
            load_runtime(str(path), pin=None, max_bytes=2**24)
        assert caught.value.reason.startswith(f"{path}: ")
        caught.value.reason = caught.value.reason.removeprefix(f"{path}: ")
        return caught.value

    return refused


@pytest.fixture
def onnx(serve: Callable[..., Runtime]) -> Callable[..., Runtime]:
    """An ONNX file's content as the server loads it."""
    return lambda content, **manifest: serve(content, "churn.onnx", **manifest)
