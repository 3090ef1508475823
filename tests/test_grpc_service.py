"""gRPC around a real model in one worker: the same model, keys, gate and counts as over HTTP."""

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY
from starlette.types import ASGIApp, Message

from app.api import open_inference_pb2 as messages
from app.api.open_inference_grpc import SERVICE
from app.main import create_app
from app.model_store import ModelStore
from app.runtimes.base import Runtime
from app.settings import ROOT, Settings
from tests.api.direct import alive
from tests.processes.grpc_talk import Client, talking

SOON_SECONDS = 10
Asking = Callable[[ASGIApp, Client], Coroutine[Any, Any, None]]


def review() -> bytes:
    request = messages.ModelInferRequest(model_name="reviews")
    given = request.inputs.add(name="text", datatype="BYTES", shape=[1])
    given.contents.bytes_contents.append(b"a dull film")
    encoded: bytes = request.SerializeToString()
    return encoded


def served(runtime: Runtime, asking: Asking, **settings: Any) -> None:
    """Over gRPC by one connection, and by the application itself."""

    async def main() -> None:
        app = create_app(Settings(FORKCAST_GRPC_PORT=8002, **settings), ModelStore.of(runtime))
        async with alive(app) as state, talking(make=state["grpc"]) as talk:
            await asking(app, talk.client)

    asyncio.run(main())


async def infer(client: Client, **headers: str) -> int:
    stream = client.ask(f"{SERVICE}ModelInfer", review(), **headers)
    await client.ended(stream)
    return stream


def test_a_review_is_predicted_and_counted(text_runtime: Runtime) -> None:
    counted = "forkcast_grpc_requests_total", {"method": "ModelInfer", "code": "OK"}
    before = REGISTRY.get_sample_value(*counted) or 0.0

    async def asking(app: ASGIApp, client: Client) -> None:
        answer = messages.ModelInferResponse.FromString(client.message(await infer(client)))

        assert list(answer.outputs[0].contents.bytes_contents) == [b"negative"]

    served(text_runtime, asking)

    assert REGISTRY.get_sample_value(*counted) == before + 1


def test_the_keys_of_http_are_those_of_grpc(text_runtime: Runtime, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.touch(mode=0o640)
    keys.write_text(f"one {hashlib.sha256(b'secret').hexdigest()} predict\n")

    async def asking(app: ASGIApp, client: Client) -> None:
        live = client.ask(f"{SERVICE}ServerLive", b"")
        await client.ended(live)

        assert client.status(await infer(client, x_api_key="one.secret"))[0] == "0"
        assert client.status(await infer(client, authorization="Bearer one.other"))[0] == "16"
        assert client.status(live)[0] == "0"

    served(text_runtime, asking, FORKCAST_API_KEYS_FILE=str(keys))


def test_a_request_over_http_takes_the_place_of_a_call(text_runtime: Runtime) -> None:
    async def asking(app: ASGIApp, client: Client) -> None:
        reading, end = asyncio.Event(), asyncio.Event()

        async def receive() -> Message:
            reading.set()
            await end.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            """Nobody is there to read it."""

        scope = {"type": "http", "method": "POST", "path": "/v2/models/reviews/infer", "headers": [], "state": {}}
        held = asyncio.ensure_future(app({**scope, "query_string": b"", "root_path": ""}, receive, send))
        async with asyncio.timeout(SOON_SECONDS):
            await reading.wait()
        full = await infer(client)
        end.set()
        await held

        assert client.status(full) == ("14", "This worker already holds 1 requests")
        assert client.status(await infer(client))[0] == "0"

    served(text_runtime, asking, FORKCAST_MAX_IN_FLIGHT=1)


def test_without_its_port_there_is_no_grpc(text_runtime: Runtime) -> None:
    async def main() -> Any:
        async with alive(create_app(Settings(), ModelStore.of(text_runtime))) as state:
            return state["grpc"]

    assert asyncio.run(main()) is None
    # Nor is there what it takes.
    loaded = "import sys, app.main, app.processes.worker; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, check=True, capture_output=True, text=True)
    assert not {"h2", "google.protobuf"} & set(modules.stdout.split())
