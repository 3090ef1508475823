"""Triton's own client over gRPC, where it gets no answer: its code, its reason, and that the next call has one."""

import contextlib
import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest
from servers import grpc_address
from triton_grpc_asking import infer, labels
from triton_inputs import ROWS, Input, columns, tensor
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from tests.server.running_server import Server

SHORT_SECONDS = 0.1
MEGABYTE = 2**20


@pytest.fixture
def client(forkcast: Server) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(grpc_address(forkcast)) as client:
        yield client


@contextlib.contextmanager
def stopped(server: Server) -> Iterator[None]:
    """Its one worker does nothing meanwhile."""
    [worker] = server.worker_pids
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


@pytest.mark.parametrize(("model", "inputs", "code", "told"), [
    ("nothing", [tensor(ROWS)], "NOT_FOUND", "model"),
    ("flowers", [tensor(ROWS[:, :3].copy())], "INVALID_ARGUMENT", r"inputs\[0\].* shape"),
    ("flowers", [tensor(np.full((1, 4), np.nan))], "INVALID_ARGUMENT", r"inputs\[0\]"),
    ("visitors", columns()[:2], "INVALID_ARGUMENT", "city"),
    ("flowers", [tensor(np.zeros((MEGABYTE // 32, 4)))], "RESOURCE_EXHAUSTED", str(MEGABYTE)),
])  # fmt: skip
def test_what_cannot_be_answered_has_its_code_and_names_the_field(
    client: InferenceServerClient, model: str, inputs: list[Input], code: str, told: str
) -> None:
    with pytest.raises(InferenceServerException, match=told) as raised:
        infer(client, model, *inputs)

    assert raised.value.status() == f"StatusCode.{code}"
    assert client.is_server_live()


def test_an_unknown_output_is_told_those_that_there_are(client: InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="predict_proba") as raised:
        infer(client, "flowers", tensor(ROWS), outputs=["guess"])

    assert raised.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_who_waits_no_longer_has_no_answer_and_can_ask_again(client: InferenceServerClient, forkcast: Server) -> None:
    assert client.is_server_live()
    with stopped(forkcast), pytest.raises(InferenceServerException) as raised:
        infer(client, "flowers", tensor(ROWS), client_timeout=SHORT_SECONDS)

    assert raised.value.status() == "StatusCode.DEADLINE_EXCEEDED"
    assert labels(infer(client, "flowers", tensor(ROWS)))


@pytest.mark.parametrize("method", ["get_inference_statistics", "get_model_repository_index"])
def test_what_is_of_triton_alone_is_not_implemented(client: InferenceServerClient, method: str) -> None:
    with pytest.raises(InferenceServerException) as raised:
        getattr(client, method)()

    assert raised.value.status() == "StatusCode.UNIMPLEMENTED"
