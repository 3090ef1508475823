"""What each peer is asked and answers, how it is configured, and that its environment is pinned."""

import json
import re
from pathlib import Path
from typing import Any

import joblib
import pytest
from sklearn.linear_model import LogisticRegression

from app.settings import ROOT
from benchmarks.failures import NotMeasurable, WrongAnswer
from benchmarks.http_client import Reply
from benchmarks.peers.asked import Asked, questions
from benchmarks.peers.catalogue import ARMS, NOT_MEASURED, OTHERS, PEERS
from benchmarks.peers.contract import BATCH_ROWS, Place
from benchmarks.peers.environments import SHARED, program, versions
from benchmarks.peers.forkcast_impl import Forkcast, PlainForkcast
from tests.benchmarks.small_subjects import ROWS, subject_of

REQUIREMENTS = ROOT / "benchmarks/peers/requirements"
INSTALLED = sorted(each.name for each in OTHERS)
# As each of them answered "a warm and funny film".
ANSWERS = {
    "forkcast": b'{"label":"positive","score":0.96,"probabilities":{"negative":0.04,"positive":0.96}}',
    "forkcast-plain": b'{"label":"positive","score":0.96,"probabilities":{"negative":0.04,"positive":0.96}}',
    "litserve": b'{"label":"positive"}',
    "mlserver": (
        b'{"model_name":"model","id":"96e3","parameters":{},"outputs":[{"name":"predict","shape":[1,1],'
        b'"datatype":"BYTES","parameters":{"content_type":"np"},"data":["positive"]}]}'
    ),
    "bentoml": b'["positive"]',
    "mlflow": b'{"predictions": ["positive"]}',
    "ray": b'{"label":"positive"}',
    "torchserve": b'{\n  "label": "positive"\n}',
}


def pins(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    found = [re.fullmatch(r"([\w.-]+)(?:\[\w+\])?==([\w.]+)", line) for line in lines]
    assert all(found), [line for line, pin in zip(lines, found, strict=True) if pin is None]
    return {pin[1].lower(): pin[2] for pin in found if pin}


@pytest.mark.parametrize("name", PEERS)
def test_a_peers_own_answer_is_right_for_its_label_alone(name: str) -> None:
    peer = PEERS[name]
    reply = Reply(200, ANSWERS[name], None)

    Asked(peer.path, b"", peer.answer("positive")).check(reply)
    with pytest.raises(WrongAnswer, match="positive"):
        Asked(peer.path, b"", peer.answer("negative")).check(reply)


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("instance", ["a \u201cwarm\u201d film", [0.5, -1.25]])
def test_a_body_holds_the_instance_whole(name: str, instance: Any) -> None:
    said = json.loads(PEERS[name].body(instance))

    assert json.dumps(instance) in json.dumps(said)


def test_each_instance_is_asked_with_the_estimators_own_label(tmp_path: Path) -> None:
    subject = subject_of(LogisticRegression().fit(ROWS, ROWS[:, 0] > 0), tmp_path)
    labels = joblib.load(subject.artifact).predict([json.loads(body)["features"] for body in subject.bodies]).tolist()

    asked = questions(PEERS["mlflow"], subject)

    assert set(labels) == {True, False}
    assert [each.expected for each in asked] == [{"predictions": [label]} for label in labels]
    assert [json.loads(each.body)["inputs"][0] for each in asked] == [
        json.loads(body)["features"] for body in subject.bodies
    ]


def test_each_peer_predicts_one_by_one_and_most_in_batches_too() -> None:
    names = [arm.name for arm in ARMS]

    assert len(set(names)) == len(names)
    assert {arm.peer for arm in ARMS if not arm.batching} == set(PEERS)
    assert set(PEERS) - {arm.peer for arm in ARMS if arm.batching} == {"mlflow"}
    assert all(arm.documentation.startswith("https://") for arm in ARMS if PEERS[arm.peer] in OTHERS)


def test_who_is_not_measured_is_named_with_the_reason() -> None:
    assert "SavedModel" in NOT_MEASURED["TensorFlow Serving"]
    assert not {peer.title for peer in PEERS.values()} & set(NOT_MEASURED)


@pytest.mark.parametrize("name", INSTALLED)
def test_an_environment_is_pinned_and_shares_what_reads_the_artifact(name: str) -> None:
    ours, theirs = pins(ROOT / "requirements.txt"), pins(REQUIREMENTS / f"{name}.txt")

    assert {package: theirs[package] for package in SHARED} == {package: ours[package] for package in SHARED}
    assert name in theirs


def test_make_installs_each_of_them() -> None:
    [named] = re.findall(r"^PEERS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert sorted(named.split()) == INSTALLED == sorted(file.stem for file in REQUIREMENTS.iterdir())


def test_a_peer_that_is_not_installed_cannot_be_measured() -> None:
    with pytest.raises(NotMeasurable, match="make bench-peers installs it"):
        program("no-such-peer")
    assert versions("no-such-peer") == {}


@pytest.mark.parametrize(("batching", "execution"), [(False, "inline"), (True, "microbatch")])
def test_forkcast_is_started_as_make_serve_does(batching: bool, execution: str, tmp_path: Path) -> None:
    place = Place(tmp_path / "model.joblib", tmp_path, port=1, cores=3, batching=batching)

    launch, plain = (each.launch(place) for each in (Forkcast(), PlainForkcast()))

    assert "gunicorn.conf.py" in " ".join(launch.command)
    assert launch.environment["FORKCAST_EXECUTION"] == plain.environment["FORKCAST_EXECUTION"] == execution
    assert launch.environment["WEB_CONCURRENCY"] == "3"
    assert launch.environment["FORKCAST_ACCELERATION"] == "auto"
    assert plain.environment["FORKCAST_ACCELERATION"] == "off"


def test_a_batch_is_no_larger_than_what_is_asked_at_once() -> None:
    assert BATCH_ROWS <= 128
