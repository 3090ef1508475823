"""Forkcast and MLServer as they are measured in the Open Inference Protocol: each answers as the estimator does."""

import json
from dataclasses import replace

import pytest

from benchmarks.failures import WrongAnswer
from benchmarks.peers.contract import ENVIRONMENTS
from benchmarks.peers.measuring import measured
from benchmarks.protocol.__main__ import under_load
from benchmarks.protocol.arms import ARMS, ProtocolArm
from benchmarks.protocol.asked import questions
from benchmarks.subjects import Subject, SubjectName, subject

CONDITIONS = {"warm_up_seconds": 1, "window_seconds": 1}
pytestmark = pytest.mark.skipif(
    not (ENVIRONMENTS / "mlserver/.installed").exists(), reason="MLServer is not installed: make test-peers installs it"
)


@pytest.fixture(scope="module")
def models() -> dict[SubjectName, Subject]:
    return {"text": subject("text", seed=20), "linear": subject("linear", seed=20)}


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_it_answers_as_the_estimator_does(arm: ProtocolArm, models: dict[SubjectName, Subject]) -> None:
    model = models[arm.model]

    run = measured(arm, model.artifact, questions(arm, model), CONDITIONS, figures_of=under_load)

    assert run["loads"].keys() == {"32"}
    assert run["loads"]["32"]["requests"] > 0


@pytest.mark.parametrize("name", ["linear-binary-forkcast-batching", "linear-json-mlserver"])
def test_one_wrong_label_in_64_is_found_under_load(name: str, models: dict[SubjectName, Subject]) -> None:
    [arm] = [each for each in ARMS if each.name == name]
    *asked, last = questions(arm, models["linear"])
    wrong = json.loads(json.dumps(last.expected))
    wrong["outputs"][0]["data"][63] = 7

    with pytest.raises(WrongAnswer, match=r"body 124.*expected"):
        measured(
            arm, models["linear"].artifact, [*asked, replace(last, expected=wrong)], CONDITIONS, figures_of=under_load
        )
