"""Models that a store of MLflow keeps, SQLite with its files beside it, found and served by name."""

import http.server
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from app import renewal
from app.errors import ModelNotReady, Refusal
from app.loading import load_models, locate
from app.processes.download import PREFIX, discard_download, located_in_store
from app.processes.throwaway import answer_apart
from app.proof import Proof
from app.reload import Failed, wanted_files
from app.renewal import adopt
from app.runtimes.artifact import Location
from app.settings import Settings
from tests.environments import own_environment
from tests.runtimes.mlflow_saving import quiet_mlflow
from tests.runtimes.models import model

ROOT = Path(__file__).parent.parent.parent
SECONDS = 60
# Of SQLAlchemy, for how MLflow's store asks.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")


@dataclass(frozen=True)
class Store:
    """Two versions of `churn`, of which the first is the champion, and the run that logged the second."""

    uri: str
    client: Any
    run_id: str
    model_id: str
    folders: list[Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Once for all tests here: the tables of a store take MLflow seconds to make."""
    folder = tmp_path_factory.mktemp("store")
    # Spelt in another way than what is served: MLflow keeps a connection for each spelling, which no fork may use.
    uri = f"sqlite:///{folder}/./mlflow.db"
    with quiet_mlflow():
        import mlflow.sklearn
        from mlflow.models import infer_signature

        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient(uri, uri)
        experiment = client.create_experiment("churn", artifact_location=str(folder / "artifacts"))
        logged = []
        for name in ("naive Bayes", "logistic regression of three classes"):
            fitted = model(name)
            with mlflow.start_run(experiment_id=experiment):
                logged.append(
                    mlflow.sklearn.log_model(
                        fitted.estimator, name="inner", serialization_format="cloudpickle", pip_requirements=["numpy"],
                        signature=infer_signature(fitted.features), registered_model_name="churn",
                    )
                )  # fmt: skip
        mlflow.set_tracking_uri(None)
    folders = [Path(urlparse(client.get_logged_model(each.model_id).artifact_location).path) for each in logged]
    client.set_registered_model_alias("churn", "champion", "1")
    return Store(f"sqlite:///{folder}/mlflow.db", client, logged[1].run_id, logged[1].model_id, folders)


@pytest.fixture
def store(made: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", made.uri)
    made.client.set_registered_model_alias("churn", "champion", "1")
    return made


@pytest.fixture
def served_over_http(store: Store) -> Iterator[str]:
    """Where a server of artifacts has the first version's folder."""
    handler = partial(Artifacts, store.folders[0])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api/2.0/mlflow-artifacts/artifacts/inner"
        server.shutdown()
        thread.join()


class Artifacts(http.server.BaseHTTPRequestHandler):
    """Lists and gives files as MLflow's own server does."""

    def __init__(self, folder: Path, *connection: Any) -> None:
        self.folder = folder
        super().__init__(*connection)

    def do_GET(self) -> None:
        asked = urlparse(self.path)
        if "path" in parse_qs(asked.query):
            files = [{"path": each.name, "is_dir": False, "file_size": 1} for each in self.folder.iterdir()]
            self.answer(json.dumps({"files": files}).encode())
        else:
            self.answer((self.folder / Path(asked.path).name).read_bytes())

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def settings(uri: str) -> Settings:
    return Settings(MODEL_URI=uri)  # type: ignore[call-arg]


def refusal(uri: str, seconds: float = SECONDS) -> ModelNotReady:
    with pytest.raises(ModelNotReady) as caught:
        located_in_store(uri, seconds=seconds)
    assert "\n" not in caught.value.reason
    return caught.value


def downloads() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))


def test_a_version_has_the_registry_s_name_and_number_and_lies_where_the_store_keeps_it(store: Store) -> None:
    found = located_in_store("models:/churn/2", seconds=SECONDS)

    assert found == Location(store.folders[1], "churn", "2")


def test_an_alias_is_the_version_that_it_points_to(store: Store) -> None:
    found = located_in_store("models:/churn@champion", seconds=SECONDS)

    assert found == Location(store.folders[0], "churn", "1")


def test_a_logged_model_has_its_own_name(store: Store) -> None:
    found = located_in_store(f"models:/{store.model_id}", seconds=SECONDS)

    assert found == Location(store.folders[1], "inner", None)


def test_a_run_has_the_model_that_it_logged(store: Store) -> None:
    found = located_in_store(f"runs:/{store.run_id}/inner", seconds=SECONDS)

    assert found == Location(store.folders[1], "inner", None)


def test_a_start_serves_the_version_that_the_alias_points_to(store: Store) -> None:
    (held,) = load_models(settings("models:/churn@champion"))
    metadata = held.metadata

    assert (metadata.name, metadata.version, metadata.platform) == ("churn", "1", "mlflow_sklearn")


def test_a_reload_takes_the_version_that_the_alias_points_to_by_then(store: Store) -> None:
    given = settings("models:/churn@champion")
    served = load_models(given)
    store.client.set_registered_model_alias("churn", "champion", "2")

    proven = answer_apart(
        partial(renewal.prove, given, served), seconds=SECONDS, max_memory_bytes=None, attend=lambda: None
    )
    # The proven version is taken, not what the alias points to by now.
    store.client.set_registered_model_alias("churn", "champion", "1")
    adopt(given, served, proven)

    assert Proof.from_json(proven).models[0].location == Location(store.folders[1], "churn", "2")
    assert (served.version, [held.current.metadata.name for held in served]) == ("2", ["churn"])


@pytest.mark.parametrize(
    "uri",
    [
        "models:/churn/9", "models:/churn@gone", "models:/nothing/1", "models:/m-0123", "runs:/0123/inner",
        "models:/churn/Production", "models:/a/b/c",
    ],
)  # fmt: skip
def test_what_the_store_does_not_have_is_refused(store: Store, uri: str) -> None:
    refused = refusal(uri)

    assert refused.reason == f"{uri}: the MLflow store has no such model, version, alias or run"
    assert refused.refusal is Refusal.MISSING


def test_a_run_s_path_that_is_not_there_is_refused(store: Store) -> None:
    with pytest.raises(ModelNotReady, match="No model is ready") as refused:
        load_models(settings(f"runs:/{store.run_id}/other"))

    assert refused.value.reason.endswith("/artifacts/other: No such file or directory")


def test_a_store_that_cannot_be_reached_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    refused = refusal("models:/churn/1")

    assert "models:/churn/1: the MLflow store at MLFLOW_TRACKING_URI cannot be reached" in refused.reason
    assert "secret" not in refused.reason


def test_nothing_is_printed_of_what_mlflow_does_with_a_database(tmp_path: Path) -> None:
    # It makes one that is missing, and tells each step.
    environment = {**own_environment(), "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/secret.db"}

    told = subprocess.run(
        [sys.executable, "-c", REFUSED], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    assert told.stdout == "models:/churn/1: the MLflow store has no such model, version, alias or run\n"
    assert told.stderr == ""


REFUSED = """
from app.errors import ModelNotReady
from app.processes.download import located_in_store
try:
    located_in_store("models:/churn/1", seconds=60)
except ModelNotReady as error:
    print(error.reason)
"""


def test_a_store_that_does_not_answer_is_waited_for_no_longer_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as silent:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.server_port}")

        refused = refusal("models:/churn/1", seconds=1)

    assert refused.refusal is Refusal.SLOW
    assert refused.reason == "models:/churn/1: the store has not given it within 0.75 s"


def test_no_store_is_made_where_none_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)

    refused = refusal("models:/churn/1")

    assert refused.reason == "models:/churn/1: MLFLOW_TRACKING_URI says of no store where it is"
    assert list(tmp_path.iterdir()) == []


def test_what_others_may_write_in_the_store_is_refused(store: Store) -> None:
    pickled = store.folders[0] / "model.pkl"
    pickled.chmod(0o666)
    try:
        with pytest.raises(ModelNotReady) as refused:
            load_models(settings("models:/churn/1"))
    finally:
        pickled.chmod(0o644)

    assert refused.value.refusal is Refusal.UNTRUSTED


def test_what_lies_elsewhere_is_downloaded_and_gone_once_it_is_loaded(store: Store, served_over_http: str) -> None:
    before = downloads()
    store.client.create_registered_model("remote")
    store.client.create_model_version("remote", served_over_http)

    (found,) = locate(settings("models:/remote/1"))
    downloaded = sorted(path.name for path in found.path.iterdir())
    mode = found.path.stat().st_mode & 0o777
    discard_download(found)

    assert (found.name, found.version, mode) == ("remote", "1", 0o700)
    assert downloaded == sorted(path.name for path in store.folders[0].iterdir())
    assert downloads() == before

    assert load_models(settings("models:/remote/1")).version == "1"
    assert downloads() == before


@pytest.mark.parametrize("rollback", [False, True])
def test_a_file_cannot_be_put_in_the_place_of_what_a_store_keeps(rollback: bool) -> None:
    with pytest.raises(Failed, match="models:/churn/1: is in a store; name another version there"):
        wanted_files(settings("models:/churn/1"), None if rollback else Path("churn.joblib"), rollback=rollback)


def test_a_reload_alone_puts_nothing_in_the_place_of_what_a_store_keeps() -> None:
    assert wanted_files(settings("models:/churn/1"), None, rollback=False) == {}


def test_the_process_that_serves_has_not_imported_mlflow(store: Store) -> None:
    environment = {**own_environment(), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

    told = subprocess.run(
        [sys.executable, "-c", LOADS], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    assert told.stdout.splitlines()[-1] == "2 False 1"


LOADS = """
import os, sys
from app.loading import load_models
from app.settings import Settings
version = load_models(Settings(MODEL_URI="models:/churn/2")).version
print(version, "mlflow" in sys.modules, len(os.listdir("/proc/self/task")))
"""
