"""curl asks as SageMaker does, on a real server."""

import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.server.conftest import StartServers, serving
from tests.server.running_server import Server

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
PLACE = ["-o", "answer", "-w", "%{http_code} %{content_type} %header{x-amzn-sagemaker-custom-attributes}"]


@pytest.fixture(scope="module")
def server(start_servers: StartServers, text_model: Path) -> Server:
    settings = {"FORKCAST_INVOCATIONS": "sagemaker"}
    return start_servers(text={**serving(text_model, workers=1), **settings})["text"]


def curl(server: Server, folder: Path, path: str, *options: str) -> tuple[str, bytes]:
    command = ["curl", "-sS", *PLACE, *options, f"http://127.0.0.1:{server.port}{path}"]
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=30).stdout
    return told, (folder / "answer").read_bytes()


def test_ping_is_200_without_a_body(server: Server, tmp_path: Path) -> None:
    (tmp_path / "answer").touch()

    told, body = curl(server, tmp_path, "/ping")

    assert told.startswith("200 ")
    assert body == b""


@pytest.mark.parametrize(
    ("content_type", "data"),
    [("application/json", '["awful bore", "great joy"]'), ("text/csv", "awful bore\ngreat joy\n")],
)
def test_instances_are_answered_with_the_callers_attributes(
    server: Server, tmp_path: Path, content_type: str, data: str
) -> None:
    given = ["-H", f"content-type: {content_type}", "-H", "X-Amzn-SageMaker-Custom-Attributes: trace=7"]

    told, body = curl(server, tmp_path, "/invocations", *given, "--data-binary", data)

    assert told == "200 application/json trace=7"
    assert json.loads(body) == ["negative", "positive"]


def test_numpys_file_is_answered_with_one(server: Server, tmp_path: Path) -> None:
    np.save(tmp_path / "texts.npy", np.array(["awful bore", "great joy"]))
    types = ["-H", "content-type: application/x-npy", "-H", "accept: application/x-npy"]

    told, body = curl(server, tmp_path, "/invocations", *types, "--data-binary", "@texts.npy")

    assert told.startswith("200 application/x-npy")
    assert np.load(io.BytesIO(body)).tolist() == ["negative", "positive"]
