"""A HUP brings the model that is in the file then, or changes nothing."""

import contextlib
import hashlib
import io
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from tests.server.clients import asking
from tests.server.conftest import SaveModel, StartServers, serving
from tests.server.estimators import Unpickled, fill_memory, kill_itself
from tests.server.running_server import Answer, Server, ask

PROOF_SECONDS = 5
MEGABYTES = 128
OUTCOMES = "forkcast_model_reloads_total"


@pytest.fixture(scope="module")
def other_text_model(save_model: SaveModel) -> Path:
    texts = ["a joy", "a bore"] * 5
    return save_model(
        "others", make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, ["positive", "negative"] * 5)
    )


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory, text_model: Path) -> Path:
    return copied(text_model, tmp_path_factory)


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory, forest_model: Path) -> Path:
    return copied(forest_model, tmp_path_factory)


@pytest.fixture(scope="module")
def pin(uri: Path) -> Path:
    path = uri.with_name("pin")
    path.write_text(f"{digest(uri)}  {uri.name}\n")
    return path


@pytest.fixture(scope="module")
def terms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("terms") / "terms"
    path.write_text("# none\n")
    return path


@pytest.fixture(scope="module")
def servers(
    start_servers: StartServers, uri: Path, pin: Path, terms: Path, text_model: Path, forest: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Server]:  # fmt: skip
    """One whose reloads are many, one to stop in the middle of a reload, one of a large model."""
    reloaded = serving(
        uri,
        FORKCAST_MODEL_SHA256=str(pin),
        FORKCAST_CONTENT_FILTER="all",
        FORKCAST_BLOCKED_TERMS_FILE=str(terms),
        FORKCAST_RELOAD_TIMEOUT_SECONDS=str(PROOF_SECONDS),
        FORKCAST_RELOAD_MAX_MEMORY_BYTES=str(MEGABYTES * 2**20),
    )
    stopped = serving(copied(text_model, tmp_path_factory), workers=1, FORKCAST_RELOAD_TIMEOUT_SECONDS="3600")
    return start_servers(reloaded=reloaded, stopped=stopped, large=serving(forest, FORKCAST_EXECUTION="inline"))


@pytest.fixture(scope="module")
def server(servers: dict[str, Server]) -> Server:
    """Each test leaves it with two workers that serve what is at `uri`."""
    return servers["reloaded"]


def test_a_reload_serves_the_new_model_and_no_request_is_lost(
    server: Server, uri: Path, pin: Path, other_text_model: Path
) -> None:
    former = version(server)

    with traffic(server) as answered:
        server.wait_for(lambda: all(former in each for each in answered))
        put(other_text_model.read_bytes(), uri)
        pin.write_text(f"{digest(uri)}  {uri.name}\n")
        assert hang_up(server)["outcome"] == "succeeded"
        latter = digest(uri)[:12]
        server.wait_for(lambda: all(latter in each for each in answered))

    assert [set(each) for each in answered] == [{former, latter}] * len(answered)
    assert latter != former
    assert counted(server) == {"succeeded": 1}
    assert documented_version(server) == latter


def documented_version(server: Server) -> Any:
    """That which the document has in the answers of V2."""
    paths = server.get("/openapi.json").json["paths"]
    [path] = [path for path in paths if path.endswith("/infer")]
    answer = paths[path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    return answer["properties"]["model_version"]["const"]


BAD = {
    "truncated": lambda good, table: (good[:-40], "corrupt"),
    "garbage": lambda good, table: (b"no pickle at all", "corrupt"),
    "other_inputs": lambda good, table: (table, "schema"),
    "sleeps": lambda good, table: (pickled(Unpickled(time.sleep, 3600)), "slow"),
    "fills_memory": lambda good, table: (pickled(Unpickled(fill_memory, 4 * MEGABYTES)), "memory"),
    "exits": lambda good, table: (pickled(Unpickled(os._exit, 0)), "crashed"),
    "is_killed": lambda good, table: (pickled(Unpickled(kill_itself)), "crashed"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_candidate_changes_nothing_and_is_counted(
    name: str, server: Server, uri: Path, pin: Path, text_model: Path, table_model: Path
) -> None:
    data, outcome = BAD[name](text_model.read_bytes(), table_model.read_bytes())
    before, count = version(server), counted(server)

    with pinned_at(uri, data, pin):
        ended = hang_up(server)

    assert (ended["event"], ended["outcome"]) == ("reload refused", outcome)
    assert ended["reason"]
    assert version(server) == before
    assert counted(server) == {**count, outcome: count.get(outcome, 0) + 1}
    assert server.ops("/status").json["reloads"]["last_refusal"] == outcome


def test_a_candidate_that_is_not_pinned_changes_nothing(server: Server, uri: Path, table_model: Path) -> None:
    before = version(server)

    with at(uri, table_model.read_bytes()):
        ended = hang_up(server)

    assert (ended["event"], ended["outcome"]) == ("reload refused", "unpinned")
    assert version(server) == before


def test_blocked_terms_are_read_again_with_the_same_model(server: Server, terms: Path) -> None:
    before = version(server)

    with at(terms, b"gloom\n"):
        assert hang_up(server)["outcome"] == "succeeded"
        refused = server.post("/predict", {"text": "all gloom"})
    assert hang_up(server)["outcome"] == "succeeded"

    assert refused.status == 400
    assert server.post("/predict", {"text": "all gloom"}).json["model"]["version"] == before


def test_a_missing_candidate_changes_nothing(server: Server, uri: Path) -> None:
    before, away = version(server), uri.with_name("away")

    uri.rename(away)
    try:
        ended = hang_up(server)
    finally:
        away.rename(uri)

    assert (ended["event"], ended["outcome"]) == ("reload refused", "missing")
    assert version(server) == before


def test_a_candidate_that_answers_otherwise_than_its_manifest_says_changes_nothing(server: Server, uri: Path) -> None:
    before = version(server)
    golden = {"instance": "a joy", "value": "negative", "probabilities": None}
    inputs = {"kind": "text", "example": "a joy"}
    manifest = {"version": "wrong", "sha256": digest(uri), "inputs": inputs, "goldens": [golden]}

    with at(uri.with_suffix(".manifest.json"), json.dumps(manifest).encode()):
        ended = hang_up(server)

    assert (ended["event"], ended["outcome"]) == ("reload refused", "goldens")
    assert version(server) == before


def test_a_worker_killed_during_a_proof_is_replaced_at_once(server: Server, uri: Path, pin: Path) -> None:
    data = pickled(Unpickled(time.sleep, 3600))
    with pinned_at(uri, data, pin):
        ready, pids, reloads = server.times_ready, server.pids, len(ends(server))
        os.kill(server.pid, signal.SIGHUP)
        server.wait_for(lambda: len(server.pids) > len(pids))
        os.kill(min(server.worker_pids), signal.SIGKILL)
        server.wait_for(lambda: server.times_ready > ready)
        replaced_during_the_proof = len(ends(server)) == reloads
        settle(server, reloads + 1)

    assert replaced_during_the_proof


def test_a_term_during_a_proof_ends_the_server(servers: dict[str, Server]) -> None:
    server = servers["stopped"]
    put(pickled(Unpickled(time.sleep, 3600)), served_by(server))
    pids = server.pids
    os.kill(server.pid, signal.SIGHUP)
    server.wait_for(lambda: len(server.pids) > len(pids))

    server.process.terminate()

    assert server.wait_for_exit() == 0
    assert ends(server)[-1]["outcome"] == "abandoned"


def test_the_former_model_is_freed_and_the_new_one_is_shared(servers: dict[str, Server], forest: Path) -> None:
    server, model = servers["large"], joblib.load(forest)
    sizes = []

    for number in range(5):
        model.ballast = np.full(4 * 2**20, number)
        put(pickled(model), forest)
        assert hang_up(server)["outcome"] == "succeeded"
        sizes.append(memory(server.pid, "Rss"))

    size = forest.stat().st_size
    assert max(sizes) < sizes[0] + size / 2
    assert max(memory(pid, "Private_Dirty") for pid in server.worker_pids) < size


def copied(model: Path, folders: pytest.TempPathFactory) -> Path:
    """An artifact of one's own, to replace."""
    return put(model.read_bytes(), folders.mktemp("served") / model.name)


def put(data: bytes, path: Path) -> Path:
    new = path.with_name("new")
    new.write_bytes(data)
    new.chmod(0o644)
    return new.replace(path)


@contextlib.contextmanager
def at(path: Path, data: bytes) -> Iterator[None]:
    """The file has these bytes for as long as the block lasts."""
    former = path.read_bytes() if path.exists() else None
    put(data, path)
    try:
        yield
    finally:
        path.unlink()
        if former is not None:
            put(former, path)


@contextlib.contextmanager
def pinned_at(path: Path, data: bytes, pin: Path) -> Iterator[None]:
    """As `at`, and the pin names them."""
    with at(path, data), at(pin, f"{hashlib.sha256(data).hexdigest()}  {path.name}\n".encode()):
        yield


def served_by(server: Server) -> Path:
    environment = Path(f"/proc/{server.pid}/environ").read_text().split("\0")
    return Path(next(each.removeprefix("MODEL_URI=") for each in environment if each.startswith("MODEL_URI=")))


def pickled(model: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def version(server: Server) -> str:
    return str(server.post("/predict", {"text": "a joy"}).json["model"]["version"])


def ends(server: Server) -> list[dict[str, Any]]:
    """How each reload ended."""
    return [event for event in server.events if event["event"] in ("reload succeeded", "reload refused")]


def hang_up(server: Server) -> dict[str, Any]:
    """How the reload ended, once the workers are those of after it."""
    reloads = len(ends(server))
    os.kill(server.pid, signal.SIGHUP)
    settle(server, reloads + 1)
    return ends(server)[-1]


def settle(server: Server, reloads: int) -> None:
    """So many reloads have ended, and their workers are the only ones, and ready."""

    def settled() -> bool:
        workers = server.ops("/status").json["workers"]
        generations = {worker["generation"] for worker in workers}
        states = [worker["state"] for worker in workers]
        # Each reload that ends makes a generation, of which the log may be a moment ahead.
        return generations == {len(ends(server))} and states == ["ready"] * (server.workers + 1)

    server.wait_for(lambda: len(ends(server)) >= reloads)
    server.wait_for(settled)


def counted(server: Server) -> dict[str, int]:
    """The reloads by their outcomes, those left out that never were."""
    lines = [line for line in server.get("/metrics").body.decode().splitlines() if line.startswith(OUTCOMES + "{")]
    counts = {line.split('"')[1]: int(float(line.rpartition(" ")[2])) for line in lines}
    assert {"succeeded", "missing", "slow"} <= counts.keys()
    return {outcome: count for outcome, count in counts.items() if count}


def memory(pid: int, name: str) -> int:
    """Bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    [line] = [line for line in lines if line.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024


@contextlib.contextmanager
def traffic(server: Server) -> Iterator[list[list[str]]]:
    """The versions that answer two clients, one of which keeps its connection; any failure is raised at the end."""
    review = {"text": "a joy"}
    answered: list[list[str]] = [[], []]

    def note(answer: Answer, versions: list[str]) -> None:
        assert answer.status == 200
        versions.append(answer.json["model"]["version"])

    with (
        contextlib.closing(server.connect()) as kept,
        asking(
            lambda: note(ask(kept, "POST", "/predict", review), answered[0]),
            lambda: note(server.post("/predict", review), answered[1]),
        ),
    ):
        yield answered
