"""MLflow's own server and Forkcast, given the same models and the same requests."""

from pathlib import Path

import httpx
import pytest
from mlflow.exceptions import ERROR_CODE_TO_HTTP_STATUS
from mlflow_answers import agree
from mlflow_corpus import CORPUS
from mlflow_differences import DIFFERENCES, NOT_SERVED
from mlflow_servers import Saved, Served, ask, forkcast_with

from tests.server.running_server import ROOT, Server

pytest_plugins = ("mlflow_served",)
# MLflow's, then Forkcast's.
Pair = tuple[httpx.Response, httpx.Response]
each_model = pytest.mark.parametrize("served", CORPUS, indirect=True)


@pytest.fixture(scope="session")
def answers(served: Served, mlflow_server: Server) -> dict[str, Pair]:
    """To every request of the model, by its name."""
    asked = CORPUS[served.name]
    return {name: (ask(mlflow_server, request), ask(served.forkcast, request)) for name, request in asked.items()}


@each_model
def test_forkcast_answers_as_mlflow_but_for_the_listed_differences(served: Served, answers: dict[str, Pair]) -> None:
    """One that is listed and is none any more fails as well."""
    found = {name: pair for name, pair in answers.items() if not agree(*pair)}

    listed = {name: (each.mlflow, each.forkcast) for name, each in DIFFERENCES.get(served.name, {}).items()}
    wrong = listed.keys() ^ found.keys() | {name for name in found if listed.get(name) != _statuses(found[name])}
    assert not wrong, "\n".join(_told(name, listed.get(name), answers.get(name)) for name in sorted(wrong))


@each_model
def test_what_both_refuse_is_refused_in_the_form_of_mlflow(answers: dict[str, Pair]) -> None:
    invocations = [pair for pair in answers.values() if pair[1].request.url.path == "/invocations"]
    refused = [(theirs, ours) for theirs, ours in invocations if theirs.status_code == ours.status_code >= 400]

    assert refused
    for theirs, ours in refused:
        assert ours.headers["content-type"] == theirs.headers["content-type"], ours.text
        if theirs.status_code == httpx.codes.BAD_REQUEST:
            assert ERROR_CODE_TO_HTTP_STATUS[ours.json()["error_code"]] == ours.status_code
            assert isinstance(ours.json()["message"], str)


@pytest.mark.parametrize("name", NOT_SERVED)
def test_what_is_not_served_is_refused_at_the_start(name: str, saved: Saved, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="which is not served"), forkcast_with(saved(name), tmp_path):
        pass


def test_each_difference_is_told_where_the_dialects_are_described() -> None:
    described = " ".join((ROOT / "app/api/README.md").read_text().split())
    requests: dict[tuple[str, int, int], list[str]] = {}
    for model, listed in DIFFERENCES.items():
        for name, each in listed.items():
            requests.setdefault((each.reason, each.forkcast, each.mlflow), []).append(f"{model}: {name}")
    rows = [
        f"| {why} | {ours} | {theirs} | {names[0]} ({len(names)}) |" for (why, ours, theirs), names in requests.items()
    ]

    assert [row for row in rows if row not in described] == []
    assert [why for why in NOT_SERVED.values() if why not in described] == []
    assert f"{len(CORPUS)} models and {sum(map(len, CORPUS.values()))} requests" in described


def _statuses(pair: Pair) -> tuple[int, int]:
    return pair[0].status_code, pair[1].status_code


def _told(name: str, listed: tuple[int, int] | None, pair: Pair | None) -> str:
    said = "nothing is asked" if pair is None else " | ".join(f"{each.status_code} {each.text[:300]}" for each in pair)
    return f"{name}: listed as {listed}, found: {said}"
