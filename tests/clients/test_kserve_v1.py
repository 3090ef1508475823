"""KServe's own client in TensorFlow Serving's protocol V1."""

from typing import Any

import httpx
import pytest
from kserve_asking import asked
from servers import url

from tests.server.running_server import Server

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.2, 3.4, 5.4, 2.3], [6.9, 3.1, 5.1, 2.3]]
REVIEWS = ["a great film", "dull, dull, dull", "élégant et drôle 😀"]


@pytest.mark.parametrize(("model", "instances"), [("flowers", ROWS), ("reviews", REVIEWS)])
def test_instances_are_predicted_as_by_the_estimator(
    forkcast: Server, estimators: dict[str, Any], model: str, instances: list[Any]
) -> None:
    answer = asked("v1", lambda client: client.infer(url(forkcast), {"instances": instances}, model_name=model))

    assert isinstance(answer, dict)
    assert answer["predictions"] == estimators[model].predict(instances).tolist()


def test_a_model_is_ready_or_unknown(forkcast: Server) -> None:
    assert asked("v1", lambda client: client.is_model_ready(url(forkcast), "flowers")) is True
    with pytest.raises(httpx.HTTPStatusError) as raised:
        asked("v1", lambda client: client.is_model_ready(url(forkcast), "nothing"))

    assert raised.value.response.status_code == 404


@pytest.mark.parametrize(("model", "instances", "status"), [("nothing", ROWS, 404), ("flowers", [[1.0]], 400)])
def test_what_cannot_be_answered_is_an_error_with_its_reason(
    forkcast: Server, model: str, instances: list[Any], status: int
) -> None:
    with pytest.raises(httpx.HTTPStatusError, match=r"^[A-Za-z]\w+.*, '4") as raised:
        asked("v1", lambda client: client.infer(url(forkcast), {"instances": instances}, model_name=model))

    assert raised.value.response.status_code == status
