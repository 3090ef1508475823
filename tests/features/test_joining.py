"""Instances that lack columns, asked as a client asks, with a store in SQLite."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY
from starlette.testclient import TestClient

from app.column import Column
from app.input_schema import TableInput, TextInput
from app.instances import Instances
from app.runtimes.base import Predictions
from tests.api.test_native import Fake
from tests.conftest import MakeClient
from tests.features.stores import in_sqlite
from tests.outside.feature_service import feature_service

INPUTS = TableInput(
    (
        Column("age", "integer"),
        Column("city", "string", categories=frozenset({"Rome", "Oslo"})),
        Column("income", "number", nullable=True),
        Column("member", "boolean"),
    ),
    example={"age": 30, "city": "Rome", "income": 1.0, "member": True},
)
ROWS = {
    "full": {"age": 41, "city": "Rome", "income": 1250.5, "member": 1},
    "poor": {"age": 29, "city": "Oslo", "income": None, "member": 0},
    "gaps": {"age": None, "city": "Oslo", "income": 1.0, "member": 1},
    "bad": {"age": 41, "city": "Paris", "income": 1.0, "member": 1},
}
FULL = [41, "Rome", 1250.5, True]
DEFAULTS = {"age": 50, "city": "Rome", "member": True}
DEFAULTED = [50, "Rome", None, True]
NOWHERE = "sqlite:////nowhere/features.db"


class Seeing(Fake):
    """Keeps the rows that it predicts."""

    def __init__(self, inputs: Any = INPUTS) -> None:
        super().__init__(inputs)
        self.rows: list[Any] = []

    def predict(self, instances: Instances) -> Predictions:
        if isinstance(instances, dict):
            columns = [
                [None if value != value else value for value in column.tolist()] for column in instances.values()
            ]
            self.rows += [list(row) for row in zip(*columns, strict=True)]
        else:
            self.rows += list(instances)
        return super().predict(instances)


class Client:
    """What it is answered, and the rows that reached the model for it."""

    def __init__(self, client: TestClient, model: Seeing) -> None:
        self.client, self.model = client, model

    def ask(self, path: str, **body: Any) -> tuple[int, Any, list[Any]]:
        self.model.rows.clear()
        answer = self.client.post(path, json=body)
        return answer.status_code, answer.json(), list(self.model.rows)

    def predict(self, entity_id: str | None, **features: Any) -> tuple[int, Any, list[Any]]:
        return self.ask("/predict", entity_id=entity_id, features=features)


Serve = Callable[..., Client]


@pytest.fixture
def serve(client_of: MakeClient, tmp_path: Path) -> Serve:
    """An application with the store, or with another one, and with settings."""

    def make(rows: Any = ROWS, model: Seeing | None = None, url: str | None = None, **settings: Any) -> Client:
        model = model or Seeing()
        with in_sqlite(tmp_path, rows) as place:
            known = {"features_url": url or place.url, "features_source": "people", "features_key": "person"}
        if "default" in settings.values():
            path = tmp_path / "defaults.json"
            path.write_text(json.dumps(settings.pop("defaults", DEFAULTS)))
            settings["features_defaults_file"] = str(path)
        return Client(client_of(model, **{**known, **settings}), model)

    return make


def fields(answer: Any) -> dict[str, str]:
    return {problem["field"]: problem["reason"] for problem in answer["errors"]}


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"forkcast_feature_{name}", labels) or 0.0


def test_what_a_request_leaves_out_comes_from_the_store(serve: Serve) -> None:
    client = serve()

    status, answer, rows = client.predict("full", age=7)

    assert (status, rows) == (200, [[7, "Rome", 1250.5, True]])
    assert "features" not in answer


def test_an_entity_alone_is_enough(serve: Serve) -> None:
    assert serve().ask("/predict", entity_id="full")[2] == [FULL]


def test_what_is_given_goes_before_what_is_stored(serve: Serve) -> None:
    given = {"age": 7, "city": "Oslo", "income": 3.0, "member": False}

    assert serve().predict("full", **given)[2] == [list(given.values())]


def test_a_request_that_is_whole_asks_the_store_for_nothing(serve: Serve) -> None:
    client = serve(url=NOWHERE)

    status, _, rows = client.predict("full", age=7, city="Oslo", income=3.0, member=False)

    assert (status, len(rows)) == (200, 1)


def test_what_is_null_in_the_store_is_null_where_the_column_takes_it(serve: Serve) -> None:
    assert serve().predict("poor")[2] == [[29, "Oslo", None, False]]


def test_what_is_null_in_the_store_is_missing_where_the_column_does_not_take_it(serve: Serve) -> None:
    status, answer, rows = serve().predict("gaps")

    assert (status, fields(answer), rows) == (422, {"features.age": "is missing"}, [])


def test_in_a_batch_each_instance_has_its_own_entity_or_none(serve: Serve) -> None:
    whole = {"age": 7, "city": "Oslo", "income": 3.0, "member": False}

    status, answer, rows = serve().ask(
        "/predict_batch", instances=[{}, whole, {"age": 1}], entity_ids=["full", None, "poor"]
    )

    assert (status, len(answer["predictions"])) == (200, 3)
    assert rows == [FULL, list(whole.values()), [1, "Oslo", None, False]]


def test_a_batch_of_entities_alone_is_one_query(serve: Serve) -> None:
    with feature_service({str(number): dict(zip(INPUTS.names, FULL, strict=True)) for number in range(300)}) as service:
        client = serve(url=service.url)
        queries = len(service.asked)

        status, _, rows = client.ask("/predict_batch", entity_ids=[str(number % 300) for number in range(900)])

        assert (status, rows) == (200, [FULL] * 900)
        assert [len(asked["entity_ids"]) for asked in service.asked[queries:]] == [300]


def test_one_entity_may_be_that_of_a_whole_batch(serve: Serve) -> None:
    _, _, rows = serve().ask("/predict_batch", instances=[{"age": 1}, {"age": 2}], entity_id="full")

    assert rows == [[1, *FULL[1:]], [2, *FULL[1:]]]


def test_a_list_in_column_order_is_whole(serve: Serve) -> None:
    client = serve(url=NOWHERE)

    assert client.ask("/predict", entity_id="full", features=[7, "Oslo", 3.0, False])[0] == 200
    assert client.ask("/predict", entity_id="full", features=[7])[0] == 422


def test_a_text_comes_from_the_store_too(client_of: MakeClient) -> None:
    model = Seeing(TextInput())
    with feature_service({"review-7": {"text": "stored"}, "void": {}, "number": {"text": 7}}) as service:
        client = Client(client_of(model, features_url=service.url), model)

        assert client.ask("/predict", entity_id="review-7")[2] == ["stored"]
        assert client.ask("/predict", entity_id="review-7", text="given")[2] == ["given"]
        assert client.ask("/predict_batch", entity_ids=["review-7"] * 2)[2] == ["stored"] * 2
        assert client.ask("/predict", entity_id="void")[0] == 422
        assert client.ask("/predict", entity_id="number")[0] == 503


def test_an_entity_that_is_not_known_is_404_and_named_by_its_field(serve: Serve) -> None:
    client = serve()

    status, answer, rows = client.ask("/predict_batch", entity_ids=["full", "SECRET-1", "poor", "SECRET-2"])

    assert (status, rows) == (404, [])
    assert set(fields(answer)) == {"entity_ids[1]", "entity_ids[3]"}
    assert "SECRET" not in json.dumps(answer)
    assert fields(client.predict("SECRET")[1]) == {"entity_id": "is not known to the feature store"}


def test_an_entity_that_is_not_known_may_have_the_defaults_and_is_flagged(serve: Serve) -> None:
    client = serve(features_on_unknown="default")
    before = counted("defaults_total", reason="unknown")

    status, answer, rows = client.ask("/predict_batch", entity_ids=["full", "nobody"])

    assert (status, rows) == (200, [FULL, DEFAULTED])
    assert [each.get("features") for each in answer["predictions"]] == [None, "default"]
    assert counted("defaults_total", reason="unknown") - before == 1


def test_what_is_given_goes_before_the_defaults(serve: Serve) -> None:
    client = serve(features_on_unknown="default", features_on_failure="default")

    assert client.predict("nobody", age=1)[2] == [[1, *DEFAULTED[1:]]]


def test_what_is_missing_in_the_store_has_its_default_and_the_rest_is_stored(serve: Serve) -> None:
    status, answer, rows = serve(features_on_unknown="default").predict("gaps")

    assert (status, rows) == (200, [[50, "Oslo", 1.0, True]])
    assert answer["features"] == "default"


def test_where_the_defaults_are_not_enough_an_unknown_entity_is_404(serve: Serve) -> None:
    client = serve(features_on_unknown="default", features_on_failure="default", defaults={"age": 50})

    assert client.predict("nobody")[0] == 404
    assert client.predict("nobody", city="Rome", member=True)[0] == 200


def test_a_store_that_does_not_answer_is_503_with_a_time_to_ask_again(serve: Serve) -> None:
    client = serve(url=NOWHERE)

    answer = client.client.post("/predict", json={"entity_id": "full"})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["detail"] == "The feature store has no usable answer"


def test_a_store_that_does_not_answer_may_be_replaced_by_defaults_and_is_flagged(serve: Serve) -> None:
    client = serve(url=NOWHERE, features_on_failure="default")
    before = counted("defaults_total", reason="unavailable")

    status, answer, rows = client.predict("full")

    assert (status, answer["features"], rows) == (200, "default", [DEFAULTED])
    assert counted("defaults_total", reason="unavailable") - before == 1


def test_where_the_defaults_are_not_enough_a_store_that_is_down_is_503(serve: Serve) -> None:
    client = serve(url=NOWHERE, features_on_failure="default", defaults={"age": 50})

    assert client.predict("full")[0] == 503


def test_a_stored_value_that_the_model_cannot_take_is_the_stores_fault(serve: Serve, caplog: Any) -> None:
    client = serve()
    before = counted("values_refused_total")

    statuses = [client.predict(entity)[0] for entity in ("bad", "full", "bad")]

    assert statuses == [503, 200, 503]
    assert counted("values_refused_total") - before == 2
    told = [record.msg for record in caplog.records if "stored feature refused" in str(record.msg)]
    assert [each["reason"] for each in told] == ["city is not a value that the model knows"]


def test_a_stored_value_that_the_model_cannot_take_may_be_replaced_by_defaults(serve: Serve) -> None:
    _, answer, rows = serve(features_on_failure="default").ask("/predict_batch", entity_ids=["bad", "full"])

    assert rows == [DEFAULTED, FULL]
    assert [each.get("features") for each in answer["predictions"]] == ["default", None]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"instances": [{"age": "x"}], "entity_ids": ["full"]}, "instances[0].age"),
        ({"instances": [{"shoe": 1}], "entity_ids": ["full"]}, "instances[0]"),
        ({"instances": [{}, {}], "entity_ids": ["full"]}, "entity_ids"),
        ({"entity_ids": ["full"], "entity_id": "full"}, "entity_id"),
        ({"entity_ids": ["full", 7]}, "entity_ids[1]"),
        ({"entity_ids": [""]}, "entity_ids[0]"),
        ({"entity_ids": ["x" * 257]}, "entity_ids[0]"),
        ({"entity_ids": []}, "instances"),
        ({"entity_id": "full"}, "instances"),
        ({"entity_ids": "full"}, "entity_ids"),
    ],
    ids=str,
)
def test_what_is_wrong_is_422_with_its_field_and_asks_the_store_for_nothing(
    serve: Serve, body: Any, field: str
) -> None:
    client = serve(url=NOWHERE)

    status, answer, _ = client.ask("/predict_batch", **body)

    assert (status, set(fields(answer))) == (422, {field})


def test_a_part_that_the_store_completes_may_still_be_wrong(serve: Serve) -> None:
    assert fields(serve().predict("full", city="Paris")[1]) == {"features.city": "is not a value that the model knows"}


def test_an_output_may_be_asked_of_an_entity(serve: Serve) -> None:
    _, answer, _ = serve(features_on_unknown="default").ask("/predict", entity_id="nobody", output="predict")

    assert (answer["predict"], answer["features"]) == ("b", "default")


def test_without_a_store_an_entity_changes_nothing(client_of: MakeClient) -> None:
    model = Seeing()
    client = Client(client_of(model), model)

    assert fields(client.predict("full", age=1, city="Rome", income=1.0)[1]) == {"features.member": "is missing"}
    assert client.predict("full", age=1, city="Rome", income=1.0, member=True)[0] == 200


@pytest.mark.parametrize(
    ("defaults", "said"),
    [
        ({"shoe": 1}, "no model has the column shoe"),
        ({"age": "x"}, "age must be a whole number"),
        ({"age": None}, "age must not be null"),
        ([1], "must be a JSON object"),
    ],
    ids=str,
)
def test_defaults_that_the_model_cannot_take_stop_the_start(serve: Serve, defaults: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        serve(features_on_unknown="default", defaults=defaults)


@pytest.mark.parametrize("url", ["ftp://host/x", "features.db", "mysql://user:SECRET@host/db"])
def test_a_url_of_no_store_stops_the_start_without_being_repeated(serve: Serve, url: str) -> None:
    with pytest.raises(ValueError, match="must begin with one of sqlite, postgresql, http") as raised:
        serve(url=url)

    assert "SECRET" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https:///path", "has no host"),
        ("sqlite://", "names no file"),
        ("postgresql://user:SECRET@host:port/db", "is no URL of a database"),
        ("redis://user:SECRET@host:port/0", "is no URL of Redis"),
    ],
)  # fmt: skip
def test_a_url_that_is_wrong_stops_the_start_without_being_repeated(serve: Serve, url: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"FORKCAST_FEATURES_URL {said}") as raised:
        serve(url=url)

    assert "SECRET" not in str(raised.value)


def test_the_document_says_what_may_be_left_out_only_where_there_is_a_store(
    serve: Serve, client_of: MakeClient
) -> None:
    def required(client: TestClient, path: str) -> list[list[str]]:
        operation = client.get("/openapi.json").json()["paths"][path]["post"]
        taken = operation["requestBody"]["content"]["application/json"]["schema"]
        return [each["required"] for each in taken.get("anyOf", [taken])]

    client = serve().client

    assert required(client, "/predict") == [["features"], ["entity_id"]]
    assert required(client, "/predict_batch") == [["instances"], ["entity_ids"]]
    assert required(client_of(Seeing()), "/predict") == [["features"]]


def test_numbers_stay_what_the_model_was_asked_with(serve: Serve) -> None:
    rows = serve({"one": {"age": 2**53 - 1, "city": "Oslo", "income": 0.1 + 0.2, "member": 1}}).predict("one")[2]

    assert rows == [[2**53 - 1, "Oslo", 0.1 + 0.2, True]]
    assert np.float64(rows[0][2]) == np.float64(0.1) + np.float64(0.2)
