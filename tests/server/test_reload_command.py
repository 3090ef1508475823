"""`make reload` and `make rollback`, as a person runs them beside a server."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import joblib
import pytest

from tests.environments import own_environment
from tests.server.conftest import SaveModel, StartServers, serving
from tests.server.estimators import Unpickled
from tests.server.running_server import PATIENCE_SECONDS, Server
from tests.server.test_reload import digest, ends, settle, version

HUP = "Handling signal: hup"
Run = "subprocess.CompletedProcess[str]"


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory, text_model: Path) -> Path:
    path = tmp_path_factory.mktemp("served") / "reviews.joblib"
    path.write_bytes(text_model.read_bytes())
    path.chmod(0o644)
    return path


@pytest.fixture(scope="module")
def server(start_servers: StartServers, uri: Path) -> Server:
    return start_servers(commanded=serving(uri, workers=1, FORKCAST_RELOAD_TIMEOUT_SECONDS="10"))["commanded"]


@pytest.fixture(scope="module")
def other(save_model: SaveModel, text_model: Path) -> Path:
    model = joblib.load(text_model)
    model.other = True
    return save_model("other", model)


def make(project: Path, server: Server, uri: Path | None, *arguments: str, **settings: str) -> Run:
    """`make` with this interpreter for the one that it would install."""
    environment = {**own_environment(), "PORT": str(server.port), "OPS_PORT": str(server.ops_port), **settings}
    return subprocess.run(
        ["make", "-o", ".venv/.installed", f"PYTHON_RUN={sys.executable}", *arguments],
        cwd=project, env={**environment, **({} if uri is None else {"MODEL_URI": str(uri)})},
        capture_output=True, text=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip


def test_a_new_model_is_installed_and_served_and_a_rollback_goes_there_and_back(
    project: Path, server: Server, uri: Path, other: Path
) -> None:
    former, latter = digest(uri), digest(other)
    manifest = uri.with_suffix(".manifest.json")
    manifest.write_text(f'{{"sha256": "{former}", "inputs": {{"kind": "text", "example": "good"}}}}')
    previous = uri.with_name("reviews.previous.joblib")

    installed = make(project, server, uri, "reload", f"MODEL={other}")
    assert (installed.stdout, installed.stderr) == (f"reload succeeded: version {latter[:12]} is served\n", "")
    assert version(server) == latter[:12]
    assert (digest(uri), digest(previous)) == (latter, former)
    assert not manifest.exists()
    assert stat.S_IMODE(uri.stat().st_mode) == 0o644 & ~current_umask()

    back = make(project, server, uri, "rollback")
    assert back.stdout == f"reload succeeded: version {former[:12]} is served\n"
    assert version(server) == former[:12]
    assert (digest(uri), digest(previous), manifest.exists()) == (former, latter, True)

    again = make(project, server, uri, "rollback")
    assert again.returncode == 0
    assert version(server) == latter[:12]
    assert (digest(uri), manifest.exists()) == (latter, False)


def test_a_refused_model_is_taken_away_again(project: Path, server: Server, uri: Path, table_model: Path) -> None:
    before, answered = files(uri.parent), version(server)

    refused = make(project, server, uri, "reload", f"MODEL={table_model}")
    settle(server, len(ends(server)))

    assert refused.returncode != 0
    assert "reload refused (schema): see the log of the server for the reason" in refused.stderr
    assert files(uri.parent) == before
    assert version(server) == answered


def test_a_reload_alone_tells_the_version(project: Path, server: Server, uri: Path) -> None:
    reloaded = make(project, server, uri, "reload")

    assert reloaded.stdout == f"reload succeeded: version {digest(uri)[:12]} is served\n"


def test_a_wrong_setting_is_found_before_anything_is_touched(
    project: Path, server: Server, uri: Path, table_model: Path
) -> None:
    before, reloads = files(uri.parent), len(ends(server))

    refused = make(project, server, uri, "reload", f"MODEL={table_model}", FORKCAST_THREDS="2")

    assert refused.returncode != 0
    assert "FORKCAST_THREDS is not a setting" in refused.stderr
    assert (files(uri.parent), len(ends(server))) == (before, reloads)


def test_without_a_server_nothing_is_installed(project: Path, server: Server, uri: Path, table_model: Path) -> None:
    before = files(uri.parent)

    refused = make(project, server, uri, "reload", f"MODEL={table_model}", OPS_PORT="1")

    assert refused.returncode != 0
    assert "no server answers on 127.0.0.1 port 1" in refused.stderr
    assert files(uri.parent) == before


def test_a_command_that_is_ended_meanwhile_leaves_the_files_as_they_were(
    project: Path, server: Server, uri: Path, save_model: SaveModel
) -> None:
    before, reloads, signals = files(uri.parent), len(ends(server)), server.log.count(HUP)
    hangs = save_model("hangs", Unpickled(time.sleep, 3600))
    environment = {**own_environment(), "OPS_PORT": str(server.ops_port), "MODEL_URI": str(uri)}
    command = [sys.executable, "-m", "app.reload", "--model", str(hangs)]

    ended = subprocess.Popen(command, cwd=project, env=environment, stderr=subprocess.PIPE, text=True)
    # The file has been put there then, and the reload has begun.
    server.wait_for(lambda: server.log.count(HUP) > signals)
    assert digest(uri) == digest(hangs)
    ended.terminate()
    _, told = ended.communicate(timeout=PATIENCE_SECONDS)

    assert (ended.returncode, told) == (130, "interrupted\n")
    assert files(uri.parent) == before
    settle(server, reloads + 1)


def test_in_a_repository_a_reload_adds_a_version_and_a_rollback_takes_it_away(
    project: Path, start_servers: StartServers, tmp_path_factory: pytest.TempPathFactory, text_model: Path, other: Path,
    table_model: Path,
) -> None:  # fmt: skip
    repository = tmp_path_factory.mktemp("repository")
    first = repository / "reviews" / "1"
    first.mkdir(parents=True)
    (first / "model.joblib").write_bytes(text_model.read_bytes())
    wanted = {"MODEL_REPOSITORY": str(repository)}
    server = start_servers(repository={**wanted, "WEB_CONCURRENCY": "1"})["repository"]
    assert server.post("/predict", {"text": "good"}).json["model"] == {"name": "reviews", "version": "1"}

    def run(*arguments: str) -> Run:
        return make(project, server, None, *arguments, **wanted)

    added = run("reload", f"MODEL={other}")
    assert (added.stdout, added.stderr) == ("reload succeeded: version 2 is served\n", "")
    assert version(server) == "2"
    refused = run("reload", f"MODEL={table_model}")
    assert "reload refused (schema)" in refused.stderr
    settle(server, len(ends(server)))
    assert sorted(path.name for path in first.parent.iterdir()) == ["1", "2"]

    former = server.post("/models/reviews/versions/1/predict", {"text": "good"}).json["model"]
    assert former == {"name": "reviews", "version": "1"}

    assert run("rollback").stdout == "reload succeeded: version 1 is served\n"
    assert version(server) == "1"
    assert "has no version" in run("rollback").stderr

    # By hand, as whoever keeps a repository does it.
    (first.parent / ".3").mkdir()
    (first.parent / ".3" / "model.joblib").write_bytes(text_model.read_bytes())
    (first.parent / ".3").rename(first.parent / "3")
    assert run("reload").stdout == "reload succeeded: version 3 is served\n"
    assert version(server) == "3"

    # And another model beside it, from whose arrival on each has to be named.
    (repository / "scores" / "1").mkdir(parents=True)
    (repository / "scores" / "1" / "model.joblib").write_bytes(table_model.read_bytes())
    named = run("reload", f"MODEL={other}", "NAME=reviews")
    assert named.stdout == "reload succeeded: version reviews=4 scores=1 is served\n"
    assert run("rollback", "NAME=reviews").stdout == "reload succeeded: version reviews=3 scores=1 is served\n"
    assert [each["name"] for each in server.ops("/status").json["models"]] == ["reviews"] * 2 + ["scores"]


def files(folder: Path) -> dict[str, str]:
    return {path.name: digest(path) for path in folder.iterdir()}


def current_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
