"""The OpenAPI document and its page."""

import re
from typing import Any

from app.column import Column
from app.input_schema import TableInput
from app.runtimes.base import Runtime
from tests.api.test_native import Fake
from tests.conftest import MakeClient


def body_of(document: dict[str, Any], path: str) -> Any:
    return document["paths"][path]["post"]["requestBody"]["content"]["application/json"]


def test_the_document_shows_the_models_own_columns_and_a_working_example(client_of: MakeClient) -> None:
    columns = (
        Column("age", nullable=True),
        Column("city", "string", categories=frozenset({"Oslo", "Rome"})),
        Column("member", "boolean"),
        Column("children", "integer"),
        Column("floor", "integer", bounds=(-128, 127), required=False),
    )
    client = client_of(Fake(TableInput(columns, {"age": 3.5, "city": "Rome", "member": True, "children": 2})))

    body = body_of(client.get("/openapi.json").json(), "/predict")

    named = body["schema"]["properties"]["features"]["anyOf"][0]
    assert set(named["properties"]) == {"age", "city", "member", "children", "floor"}
    assert named["required"] == ["age", "city", "member", "children"]
    assert named["properties"]["city"] == {"enum": ["Oslo", "Rome"]}
    assert named["properties"]["children"] == {"type": "integer", "minimum": -(2**53 - 1), "maximum": 2**53 - 1}
    assert named["properties"]["floor"] == {"type": "integer", "minimum": -128, "maximum": 127}
    assert {"type": "null"} in named["properties"]["age"]["anyOf"]
    assert client.post("/predict", json=body["example"]).status_code == 200


def test_the_document_names_the_classes(client_of: MakeClient, text_runtime: Runtime) -> None:
    document = client_of(text_runtime).get("/openapi.json").json()

    answer = document["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    prediction, *outputs = answer["anyOf"]
    assert prediction["properties"]["label"] == {"enum": ["negative", "positive"]}
    assert [next(iter(each["properties"])) for each in outputs] == list(text_runtime.metadata.outputs)
    assert all(each["required"] == [next(iter(each["properties"])), "model", "request_id"] for each in answer["anyOf"])


def test_the_document_names_the_outputs_that_a_request_may_ask_for(
    client_of: MakeClient, text_runtime: Runtime
) -> None:
    document = client_of(text_runtime).get("/openapi.json").json()

    for path in ("/predict", "/predict_batch"):
        body = body_of(document, path)["schema"]
        assert body["properties"]["output"] == {"enum": ["predict", "predict_proba", "decision_function", None]}
        assert "output" not in body["required"]


def test_the_example_of_each_operation_is_answered(client_of: MakeClient, text_runtime: Runtime) -> None:
    client = client_of(text_runtime)
    document = client.get("/openapi.json").json()

    # Without a key nobody changes what is served.
    asked = [path for path in document["paths"] if not path.startswith("/v2/repository/models/")]
    for path in (path for path in asked if "post" in document["paths"][path]):
        assert client.post(path, json=body_of(document, path)["example"]).status_code == 200


def test_the_page_fetches_only_what_this_server_serves(client_of: MakeClient, text_runtime: Runtime) -> None:
    client = client_of(text_runtime)

    page = client.get("/docs").text
    addresses = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)""", page)

    assert "//" not in page
    assert len(addresses) >= 4
    assert all(client.get(f"/{address}").status_code == 200 for address in addresses)
    assert '"validatorUrl": null' in page
