"""What is too large or too much is refused, and the next request is answered."""

import contextlib
import http.client
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.server.conftest import SaveModel, StartServers, serving
from tests.server.estimators import Held
from tests.server.running_server import Server, answer_on, ask

MAX_BODY_BYTES = 2**20
GOOD = {"text": "good film"}


@pytest.fixture(scope="module")
def hold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing is predicted while there is such a file."""
    return tmp_path_factory.mktemp("hold") / "hold"


@pytest.fixture(scope="module")
def full_server(start_servers: StartServers, save_model: SaveModel, hold: Path) -> Server:
    settings = serving(
        save_model("held", Held(str(hold)).fit()), workers=1, FORKCAST_EXECUTION="threads", FORKCAST_MAX_IN_FLIGHT="1",
        FORKCAST_WORKER_HEADER="off",
    )  # fmt: skip
    return start_servers(full=settings)["full"]


def test_a_body_that_declares_too_many_bytes_is_refused_and_its_connection_goes_on(text_server: Server) -> None:
    with contextlib.closing(text_server.connect()) as connection:
        connection.request("POST", "/predict", b"x" * (MAX_BODY_BYTES + 1), {"content-type": "application/json"})
        socket = connection.sock
        refused = answer_on(connection)

        answer = ask(connection, "POST", "/predict", GOOD)

        assert connection.sock is socket
    assert refused.status == 413
    assert refused.headers["content-type"] == "application/problem+json"
    assert answer.status == 200


def test_a_chunked_body_is_refused_once_it_has_too_many_bytes(text_server: Server) -> None:
    with contextlib.closing(text_server.connect()) as connection:
        send_chunk(connection, b"x" * (MAX_BODY_BYTES + 1))

        refused = answer_on(connection)

    assert refused.status == 413
    assert refused.headers["connection"] == "close"
    assert text_server.post("/predict", GOOD).status == 200


def test_a_full_worker_refuses_the_next_request_at_once_and_still_says_how_it_is(
    full_server: Server, hold: Path
) -> None:
    hold.touch()
    with ThreadPoolExecutor(1) as client:
        held = client.submit(full_server.post, "/predict", {"features": [3.0]})
        # The scrape is in flight itself.
        full_server.wait_for(lambda: full_server.metric("forkcast_in_flight_requests") == 2)

        refused = full_server.post("/predict", {"features": [0.0]})
        watched = [full_server.get(path).status for path in ("/health", "/healthz", "/readyz", "/metrics")]
        early = not held.done()
        hold.unlink()

    assert early
    assert refused.status == 503
    assert refused.headers["retry-after"] == "1"
    assert "x-worker" not in refused.headers
    assert watched == [200] * 4
    assert held.result().json["prediction"] == 3.0
    assert full_server.post("/predict", {"features": [0.0]}).status == 200


def send_chunk(connection: http.client.HTTPConnection, chunk: bytes) -> None:
    """The head of a request whose body has no declared length, and one chunk of it, not the last."""
    connection.putrequest("POST", "/predict")
    connection.putheader("content-type", "application/json")
    connection.putheader("transfer-encoding", "chunked")
    connection.endheaders()
    connection.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
