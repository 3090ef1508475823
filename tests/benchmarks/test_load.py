"""The load of users can lose: what is refused before it, and which answers and which files of Locust's are failures."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.failures import NotMeasurable, RequestsFailed, RunFailed, ServerFailed, UnreadableOutput
from benchmarks.instances import variations
from benchmarks.load.__main__ import PROFILES, main, shown
from benchmarks.load.answers import Question, unhealthy, wrong
from benchmarks.load.journey import forms_of, prepare, read
from benchmarks.load.locust_run import judged
from benchmarks.server import free_port
from tests.benchmarks.visited_server import ALONE, Answer, rightly, visited_server

SIGNED = {"model": {"name": "m", "version": "1"}, "request_id": "first"}
ONE = {"label": "a", "score": 0.75, "probabilities": {"a": 0.75, "b": 0.25}, **SIGNED}
MANY = {"predictions": [{"label": "a"}, {"label": "b"}], **SIGNED}
ASKED_ONE = Question("/predict", {"text": "t"}, None, ONE)
ASKED_MANY = Question("/predict_batch", {"texts": ["t", "u"]}, 2, MANY)


def judged_answer(question: Question, answer: Any, status: int = 200) -> str | None:
    return wrong(question, status, json.dumps(answer).encode())


def test_the_first_answer_with_another_request_id_is_right() -> None:
    assert judged_answer(ASKED_ONE, {**ONE, "request_id": "second"}) is None
    assert judged_answer(ASKED_MANY, {**MANY, "request_id": "second"}) is None


def test_the_last_digits_of_a_number_may_be_others() -> None:
    assert judged_answer(ASKED_ONE, {**ONE, "score": 0.75 + 1e-9}) is None
    assert judged_answer(ASKED_ONE, {**ONE, "score": 0.7501}) == "score is another than in the first answer"


@pytest.mark.parametrize("status", [500, 503, 302, 204, 0])
def test_an_answer_with_another_status_than_200_is_wrong(status: int) -> None:
    assert judged_answer(ASKED_ONE, ONE, status) is not None


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>", b"{}"])
def test_an_answer_that_is_no_prediction_is_wrong_though_it_is_the_first(body: bytes) -> None:
    assert wrong(Question("/predict", {"text": "t"}, None), 200, body) is not None


@pytest.mark.parametrize("left_out", ["label", "model", "request_id"])
def test_an_answer_that_lacks_a_member_is_wrong_though_it_is_the_first(left_out: str) -> None:
    answer = {name: value for name, value in ONE.items() if name != left_out}

    assert left_out in str(judged_answer(Question("/predict", {"text": "t"}, None), answer))


def test_a_prediction_that_is_null_is_wrong_and_zero_or_false_is_not() -> None:
    asked = Question("/predict", {"features": {}}, None)

    assert judged_answer(asked, {"prediction": None, **SIGNED}) is not None
    assert judged_answer(asked, {"prediction": 0.0, **SIGNED}) is None
    assert judged_answer(asked, {"label": False, **SIGNED}) is None


@pytest.mark.parametrize("predictions", [[], [{"label": "a"}], [{"label": "a"}, {}], {"label": "a"}])
def test_a_batch_with_too_few_or_empty_predictions_is_wrong(predictions: Any) -> None:
    asked = Question("/predict_batch", {"texts": ["t", "u"]}, 2)

    assert judged_answer(asked, {"predictions": predictions, **SIGNED}) is not None


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"label": "b"}, "label"),
        ({"probabilities": {"a": 0.75, "b": 0.5}}, "probabilities.b"),
        ({"probabilities": {"a": 0.75}}, "probabilities"),
        ({"model": {"name": "m", "version": "2"}}, "model.version"),
        ({"score": True}, "score"),
        ({"more": 1}, "the answer"),
    ],
)
def test_an_answer_that_differs_from_the_first_is_wrong(changed: dict[str, Any], place: str) -> None:
    assert judged_answer(ASKED_ONE, {**ONE, **changed}) == f"{place} is another than in the first answer"


def test_a_batch_in_another_order_is_wrong() -> None:
    answer = {**MANY, "predictions": MANY["predictions"][::-1]}

    assert judged_answer(ASKED_MANY, answer) == "predictions.label is another than in the first answer"


@pytest.mark.parametrize("body", [b'{"model_loaded": false}', b"{}", b"", b"[true]"])
def test_a_server_without_a_model_is_not_well(body: bytes) -> None:
    assert unhealthy(200, body) == "no model is loaded"


def test_a_journey_is_made_of_what_the_server_says_and_can_be_read_again(tmp_path: Path) -> None:
    with visited_server() as server:
        journey = prepare(server.url)
    journey.write(tmp_path / "journey.json")

    assert read(tmp_path / "journey.json") == journey
    assert journey.models == ["m 1"]
    assert len({question.body["text"] for question in journey.one}) == len(journey.one) > 10
    assert {question.rows for question in journey.many} == {8}
    assert all(len(question.body["texts"]) == 8 for question in journey.many)


def test_a_batch_is_to_be_answered_as_its_rows_alone() -> None:
    def backwards(answer: dict[str, Any]) -> Answer:
        return rightly({**answer, "predictions": answer["predictions"][::-1]})

    with (
        visited_server(first=ALONE, later=backwards) as server,
        pytest.raises(RequestsFailed, match="another than in the first answer"),
    ):
        prepare(server.url)


def test_a_table_is_asked_for_values_that_its_columns_take() -> None:
    number = {"anyOf": [{"type": "number"}, {"type": "boolean"}]}
    columns = {
        "age": number, "city": {"enum": ["Oslo", "Rome"]}, "visits": {"type": "integer", "maximum": 3},
        "member": {"type": "boolean"}, "name": {"type": "string"},
        "last": {"anyOf": [{"type": "number"}, {"type": "null"}]},
    }  # fmt: skip
    example = {"age": -2.5, "city": "Oslo", "visits": 1, "member": True, "name": "n", "last": None}

    drawn = variations(
        example, {"anyOf": [{"type": "object", "properties": columns}, {"type": "array"}]}, count=40, seed=1
    )

    assert drawn[0] == example
    assert len({json.dumps(each) for each in drawn}) == 40
    assert all(each.keys() == example.keys() and each["name"] == "n" and each["last"] is None for each in drawn)
    assert {each["city"] for each in drawn} == {"Oslo", "Rome"}
    assert {each["member"] for each in drawn} == {True, False}
    assert {each["visits"] for each in drawn} == {0, 1, 2, 3}
    assert all(-5.0 <= each["age"] <= -1.25 for each in drawn)
    assert min(each["age"] for each in drawn) < -2.5 < max(each["age"] for each in drawn)


def test_a_model_that_knows_few_instances_is_asked_for_those() -> None:
    schema = {"type": "object", "properties": {"city": {"enum": ["Oslo", "Rome"]}}}

    assert variations({"city": "Oslo"}, schema, count=9, seed=1) == [{"city": "Oslo"}, {"city": "Rome"}]


def test_of_several_models_the_newest_version_of_each_is_asked() -> None:
    taken = {"post": {"requestBody": {"content": {"application/json": {"example": {}, "schema": {}}}}}}
    paths = {
        f"{below}{name}": taken
        for below in ("/models/a", "/models/b", "/models/b/versions/1")
        for name in ("/predict", "/predict_batch")
    }

    assert list(forms_of({"paths": paths})) == ["/models/a/predict", "/models/b/predict"]


def test_a_server_that_shows_no_example_is_refused() -> None:
    with pytest.raises(NotMeasurable, match="no route"):
        forms_of({"paths": {"/predict": {"post": {}}}})


def refusal(url: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says when it ends with 1 before any load."""
    assert main(["--url", url, "--out", str(folder / "load")]) == 1
    assert not (folder / "load").exists()
    return capsys.readouterr().err


def test_a_server_whose_model_is_not_loaded_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with visited_server(health=(200, b'{"status": "unready", "model_loaded": false}')) as server:
        assert "GET /health: no model is loaded" in refusal(server.url, tmp_path, capsys)
        assert server.asked == 0


def test_a_server_that_is_not_ready_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with visited_server(ready=503) as server:
        assert "GET /readyz was answered 503" in refusal(server.url, tmp_path, capsys)
        assert server.asked == 0


def test_where_nobody_listens_nothing_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    assert f"nobody answers at {url}/health" in refusal(url, tmp_path, capsys)


STATS = "Type,Name,Request Count,Failure Count,Requests/s,50%,95%"
ALL_WELL = f"{STATS}\nPOST,/predict,8,0,2.5,12,31\n,Aggregated,8,0,2.5,12,31\n"
NONE = f"{STATS}\n,Aggregated,0,0,0.0,N/A,N/A\n"


def written(folder: Path, *, stats: str = ALL_WELL, failures: str = "", exceptions: str = "", counted: int = 8) -> Path:
    """Files as Locust writes them, by their common beginning."""
    (folder / "5-users_stats.csv").write_text(stats)
    (folder / "5-users_failures.csv").write_text("Method,Name,Error,Occurrences\n" + failures)
    (folder / "5-users_exceptions.csv").write_text("Count,Message,Traceback,Nodes\n" + exceptions)
    (folder / "5-users.json").write_text(json.dumps([{"num_requests": counted}] if counted else []))
    return folder / "5-users"


def test_the_table_is_taken_from_locusts_files(tmp_path: Path) -> None:
    report = judged(PROFILES["5"], written(tmp_path), failed=False)

    assert report.faults == []
    assert shown([report]).splitlines()[2:] == [
        "| 5 | POST /predict | 8 | 0 | 12 ms | 31 ms | 2.5 |",
        "| 5 | all | 8 | 0 | 12 ms | 31 ms | 2.5 |",
    ]


def test_a_failed_request_is_named(tmp_path: Path) -> None:
    prefix = written(tmp_path, failures="POST,/predict,answered 500,3\n")

    assert judged(PROFILES["5"], prefix, failed=True).faults == ["POST /predict: answered 500 (3 times)"]


def test_an_error_of_the_journey_itself_is_a_failure(tmp_path: Path) -> None:
    prefix = written(tmp_path, exceptions="2,a message,,local\n")

    assert judged(PROFILES["5"], prefix, failed=True).faults == ["an error of the journey's own: a message (2 times)"]


def test_a_failure_that_only_the_exit_status_tells_is_one(tmp_path: Path) -> None:
    assert judged(PROFILES["5"], written(tmp_path), failed=True).faults != []


def test_no_requests_at_all_are_a_failure(tmp_path: Path) -> None:
    report = judged(PROFILES["5"], written(tmp_path, stats=NONE, counted=0), failed=False)

    assert report.faults == ["no request was made"]
    assert "| 5 | all | 0 | 0 |  |  | 0.0 |" in shown([report])


@pytest.mark.parametrize(
    "files", [{"counted": 9}, {"stats": ""}, {"stats": ALL_WELL.replace("Requests/s", "?")}, {"stats": STATS}]
)
def test_files_that_do_not_hold_all_requests_are_no_result(files: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UnreadableOutput):
        judged(PROFILES["5"], written(tmp_path, **files), failed=False)


def test_a_file_that_is_missing_is_no_result(tmp_path: Path) -> None:
    prefix = written(tmp_path)
    (tmp_path / "5-users_failures.csv").unlink()

    with pytest.raises(RunFailed, match="not written"):
        judged(PROFILES["5"], prefix, failed=False)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ServerFailed, match="nobody answers"):
        prepare("localhost:8000")
