"""Each error in each dialect: one table of statuses, and the form that a dialect's clients read."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from app import errors
from app.api import error_responses
from app.api.error_responses import MLFLOW_CODES, STATUS
from app.errors import BadInput, Problem
from app.input_schema import TextInput
from tests.api.test_native import Fake
from tests.conftest import MakeClient

PROBLEMS = [Problem("inputs[0].data", "must be numbers")]
ERRORS: dict[type[errors.ForkcastError], errors.ForkcastError] = {
    errors.BadInput: BadInput(PROBLEMS),
    errors.RefusedByModel: errors.RefusedByModel(),
    errors.BodyTooLarge: errors.BodyTooLarge(7),
    errors.ContentRejected: errors.ContentRejected(0),
    errors.ModelNotReady: errors.ModelNotReady("/srv/SECRET is no model"),
    errors.Overloaded: errors.Overloaded(64),
    errors.DeadlineExceeded: errors.DeadlineExceeded(),
    errors.CallerLeft: errors.CallerLeft(),
    errors.UnknownModel: errors.UnknownModel(version=False),
    errors.NoApiKey: errors.NoApiKey(),
    errors.Forbidden: errors.Forbidden("admin"),
    errors.ModelNotChanged: errors.ModelNotChanged("it is the only one"),
    errors.ControlBusy: errors.ControlBusy(),
    errors.NoTensor: errors.NoTensor(),
    errors.NotLogged: errors.NotLogged(),
    errors.InferenceFailed: errors.InferenceFailed(),
    errors.FeaturesUnavailable: errors.FeaturesUnavailable(),
    errors.UnknownEntity: errors.UnknownEntity(["entity_id"]),
    errors.JobsUnavailable: errors.JobsUnavailable(),
    errors.QueueFull: errors.QueueFull(7),
    errors.JobTooLarge: errors.JobTooLarge(),
    errors.IdempotencyKeyReused: errors.IdempotencyKeyReused(),
    errors.UnknownJob: errors.UnknownJob(),
}
# Of the native dialect, and of those of others where they differ.
STATUSES = {
    errors.BadInput: (422, 400), errors.RefusedByModel: (422, 400), errors.BodyTooLarge: (413, 413),
    errors.ContentRejected: (400, 400), errors.ModelNotReady: (503, 503), errors.Overloaded: (503, 503),
    errors.DeadlineExceeded: (504, 504), errors.CallerLeft: (499, 499), errors.UnknownModel: (404, 404),
    errors.NoApiKey: (401, 401), errors.Forbidden: (403, 403), errors.ModelNotChanged: (409, 400),
    errors.ControlBusy: (503, 503), errors.NotLogged: (503, 503),
    errors.NoTensor: (501, 501), errors.InferenceFailed: (500, 500), errors.FeaturesUnavailable: (503, 503),
    errors.UnknownEntity: (404, 404), errors.JobsUnavailable: (503, 503), errors.QueueFull: (503, 503),
    errors.JobTooLarge: (413, 413), errors.IdempotencyKeyReused: (422, 422), errors.UnknownJob: (404, 404),
}  # fmt: skip
RETRIED = (
    errors.ModelNotReady, errors.Overloaded, errors.ControlBusy, errors.FeaturesUnavailable, errors.JobsUnavailable,
    errors.QueueFull, errors.NotLogged,
)  # fmt: skip


def scope_of(path: str) -> Scope:
    return {"type": "http", "path": path, "state": {"request_id": "mine", "headers": {}}}


def native_form(status: int, told: str, body: Any) -> None:
    assert (body["status"], body["detail"], body["request_id"]) == (status, told, "mine")


def open_inference_form(status: int, told: str, body: Any) -> None:
    assert body == {"error": told}


def mlflow_form(status: int, told: str, body: Any) -> None:
    code = MLFLOW_CODES.get(status, "BAD_REQUEST")
    assert body == {"error_code": code, "message": told}


DIALECTS: list[tuple[str, Callable[[int, str, Any], None]]] = [
    ("/predict", native_form),
    ("/models/churn/predict_batch", native_form),
    ("/v2", open_inference_form),
    ("/v2/models/churn/infer", open_inference_form),
    ("/v2/models/churn/versions/1/infer", open_inference_form),
    ("/v1/models/churn:predict", open_inference_form),
    ("/invocations", mlflow_form),
]


def test_every_error_has_a_status() -> None:
    assert set(STATUS) == set(errors.ForkcastError.__subclasses__()) == set(STATUSES)


@pytest.mark.parametrize(("path", "form"), DIALECTS, ids=[path for path, _ in DIALECTS])
@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_each_error_has_the_status_and_the_form_of_its_dialect(
    kind: type[errors.ForkcastError], path: str, form: Callable[[int, str, Any], None]
) -> None:
    error = ERRORS[kind]

    answer = error_responses.answer(error, scope_of(path))

    assert answer.status_code == STATUSES[kind][form is not native_form]
    assert ("retry-after" in answer.headers) == (kind in RETRIED)
    assert b"SECRET" not in answer.body
    if kind is errors.CallerLeft:
        assert answer.body == b""
    else:
        form(answer.status_code, str(error), orjson.loads(answer.body))


@pytest.mark.parametrize(("path", "form"), DIALECTS, ids=[path for path, _ in DIALECTS])
def test_what_the_router_refuses_has_the_form_of_its_dialect_too(
    path: str, form: Callable[[int, str, Any], None]
) -> None:
    answer = error_responses.answer(HTTPException(405, headers={"allow": "POST"}), scope_of(path))

    form(405, "Method Not Allowed", orjson.loads(answer.body))
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", [path for path, _ in DIALECTS])
def test_who_left_while_its_body_was_read_is_answered_with_nothing(path: str) -> None:
    answer = error_responses.answer(ClientDisconnect(), scope_of(path))

    assert (answer.status_code, answer.body) == (499, b"")


def test_only_the_native_form_lists_the_problems_apart() -> None:
    native, other = (
        orjson.loads(error_responses.answer(BadInput(PROBLEMS), scope_of(path)).body)
        for path in ("/predict", "/v2/models/churn/infer")
    )

    assert native["errors"] == [{"field": "inputs[0].data", "reason": "must be numbers"}]
    assert other == {"error": "inputs[0].data: must be numbers"}


@pytest.mark.parametrize(
    ("path", "member"), [("/v2/models/fake/infer", "error"), ("/invocations", "message"), ("/predict", "detail")]
)
def test_what_is_refused_before_a_dialect_sees_it_has_the_dialects_form(
    client_of: MakeClient, path: str, member: str
) -> None:
    client = client_of(Fake(TextInput()), max_body_bytes="1024")

    too_large = client.post(path, content=b"x" * 2000)
    counted = client.post(path, content=iter([b"x" * 2000]))
    late = client.post(path, content=b"x", headers={"x-request-timeout-ms": "0"})
    wrong_method = client.put(path, content=b"x")

    assert [each.status_code for each in (too_large, counted, late, wrong_method)] == [413, 413, 400, 405]
    assert all(each.json()[member] for each in (too_large, counted, late, wrong_method))
