"""Each peer as it is installed: it answers as the estimator does, and a wrong answer of one is found."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.processes.cores import usable_cores
from benchmarks import processes
from benchmarks.failures import WrongAnswer
from benchmarks.generators import Own
from benchmarks.peers.asked import plan_of, questions
from benchmarks.peers.catalogue import ARMS, OTHERS, PEERS
from benchmarks.peers.contract import ENVIRONMENTS, Arm, Launch, Place
from benchmarks.peers.ports import lasting_port
from benchmarks.peers.server import served
from benchmarks.subjects import Subject, subject
from benchmarks.workload import check_answers
from tests.waiting import wait_until

CONDITIONS = {"warm_up_seconds": 1, "window_seconds": 1}


@pytest.fixture(scope="module")
def model() -> Subject:
    return subject("text", seed=20)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Shorter than pytest's own: Ray's sockets are files below it, of whose names the kernel takes 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="peer-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def installed(arm: Arm) -> Arm:
    if PEERS[arm.peer] in OTHERS and not (ENVIRONMENTS / arm.peer / ".installed").exists():
        pytest.skip(f"{arm.peer} is not installed: make test-peers installs it")
    return arm


def launched(arm: Arm, model: Subject, folder: Path) -> tuple[Launch, Place]:
    place = Place(model.artifact, folder, port=lasting_port(), cores=usable_cores(), batching=arm.batching)
    return PEERS[arm.peer].launch(place), place


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_it_answers_as_the_estimator_does_and_leaves_no_process(arm: Arm, model: Subject, folder: Path) -> None:
    installed(arm)
    asked = questions(PEERS[arm.peer], model)
    plan = plan_of(asked, CONDITIONS, folder)
    launch, place = launched(arm, model, folder)

    with served(launch, port=place.port, folder=folder) as server:
        server.wait_until_right(asked[0])
        check_answers(place.port, plan.known)
        loaded = Own(32, keep_alive=True).load(place.port, plan, plan.window_seconds)
        pids = server.pids()

    assert loaded["requests"] > 0
    assert len(pids) > 1
    wait_until(lambda: not any(map(processes.family, pids)), seconds=10, told=lambda: f"{pids} are there")


def test_a_wrong_answer_of_a_peer_is_found(model: Subject, folder: Path) -> None:
    arm = installed(next(arm for arm in ARMS if arm.name == "litserve-batching"))
    # So few that a slow peer, too, is asked each of them.
    asked = questions(PEERS[arm.peer], model)[:8]
    wrong = [replace(each, expected={"label": "no such label"}) for each in asked]
    launch, place = launched(arm, model, folder)

    with served(launch, port=place.port, folder=folder) as server:
        server.wait_until_right(asked[0])
        with pytest.raises(WrongAnswer, match="no such label"):
            Own(8, keep_alive=True).load(place.port, plan_of([*asked[:-1], wrong[-1]], CONDITIONS, folder), 5)
        with pytest.raises(WrongAnswer, match="was answered"):
            check_answers(place.port, wrong[:1])
