"""How a candidate is scored, and a tuning on real servers from the first of them to the file of settings."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import joblib
import pytest

from app.environment import load_settings
from app.settings import ROOT
from benchmarks.environment import environment
from benchmarks.failures import RequestsFailed, RunFailed, ServerFailed, WrongAnswer
from benchmarks.processes import family, tree
from benchmarks.subjects import Subject
from benchmarks.tuning.__main__ import parsed, saved
from benchmarks.tuning.candidates import Candidate
from benchmarks.tuning.halving import Rung, Score
from benchmarks.tuning.scoring import Scoring, others_share
from benchmarks.tuning.searching import LEAST_RATE, probing, searched
from benchmarks.tuning.tuning import Demand, Effort, Tuning
from tests.benchmarks.fake_server import RIGHT, Answer, FakeServer, fake_server
from tests.benchmarks.light_estimator import FirstColumn
from tests.benchmarks.small_subjects import subject_of
from tests.benchmarks.test_failing_kinds import needs_wrk, plan
from tests.benchmarks.test_failing_servers import LOAD
from tests.benchmarks.test_saturation import Limited
from tests.conftest import TEXTS
from tests.environments import own_environment
from tests.waiting import wait_until

TWO = (Candidate(1, "inline"), Candidate(1, "microbatch"))
# The objective is one that a server keeps on a machine with much else to do.
DEMAND = Demand(connections=2, objective_seconds=0.1, memory_bytes=2**40)
LITTLE = Effort((Rung("screened", "closed", 1),), last=Rung("last", "held", 0.3, precision=0.4), blocks=1)


def test_the_rate_that_is_held_is_found_between_two_others() -> None:
    probes = searched(Limited(80.0), 35.0, 105.0, precision=0.05)

    held = max(each["offered_per_second"] for each in probes if each["passed"])
    assert 0.94 * 80 <= held <= 80
    assert len(probes) == 5


@pytest.mark.parametrize("limit", [20.0, 300.0])
def test_a_rate_outside_of_both_is_found_too(limit: float) -> None:
    probes = searched(Limited(limit), 85.0, 115.0, precision=0.025)

    held = max(each["offered_per_second"] for each in probes if each["passed"])
    assert 0.88 * limit <= held <= limit


def test_a_coarse_search_far_below_what_is_held_ends() -> None:
    probes = searched(Limited(10_000.0), 35.0, 105.0, precision=0.6)

    assert probes[-1]["passed"] is False
    assert len(probes) < 10


def test_what_others_took_of_the_machine_is_what_is_left_of_its_time() -> None:
    cores = os.cpu_count() or 1
    row = {
        "server_cpu_seconds": 0.4 * cores, "generator_cpu_seconds": 0.2 * cores, "seconds": 2.0, "idle_share": 0.5,
        "steal_share": 0.1,
    }  # fmt: skip

    assert others_share(row) == pytest.approx(0.1)


def test_where_no_rate_is_held_the_search_ends() -> None:
    probes = searched(Limited(0.0), 35.0, 105.0, precision=0.05)

    assert not any(each["passed"] for each in probes)
    assert len(probes) < 10
    assert min(each["offered_per_second"] for each in probes) == LEAST_RATE


def probed(answers: Callable[[bytes, int], Answer], folder: Path, *, objective_seconds: float = 0.2) -> dict:
    with fake_server(answers, FakeServer) as server:
        return probing(server.port, plan(folder, 0.3), seconds=0.3, objective_seconds=objective_seconds, seed=1)(1_000)


def test_a_server_that_answers_rightly_holds_a_low_rate(tmp_path: Path) -> None:
    assert probed(lambda body, held: RIGHT, tmp_path)["why"] == ""


def test_a_server_that_is_too_slow_for_the_objective_does_not(tmp_path: Path) -> None:
    probe = probed(lambda body, held: RIGHT, tmp_path, objective_seconds=1e-5)

    assert probe["why"].startswith("p99 over")


def test_a_server_that_refuses_all_does_not(tmp_path: Path) -> None:
    probe = probed(lambda body, held: (503, "") if body in LOAD else RIGHT, tmp_path)

    assert (probe["passed"], probe["why"][:6]) == (False, "all of")


@pytest.mark.parametrize(("bad", "failure"), [((500, "positive"), RequestsFailed), ((200, "negative"), WrongAnswer)])
def test_a_bad_answer_now_and_then_fails_the_run(bad: Answer, failure: type[RunFailed], tmp_path: Path) -> None:
    numbers = count()

    def answers(body: bytes, held: int) -> Answer:
        return bad if body in LOAD and next(numbers) % 100 == 99 else RIGHT

    with pytest.raises(failure):
        probed(answers, tmp_path)


def test_a_connection_that_breaks_at_a_rate_that_is_held_fails_the_run(tmp_path: Path) -> None:
    numbers = count()

    def answers(body: bytes, held: int) -> Answer:
        if body in LOAD and next(numbers) == 500:
            raise ConnectionAbortedError("this one is not answered")
        return RIGHT

    with pytest.raises(RequestsFailed, match=r"1 connections broke at 1,000 requests/s, which were not too many"):
        probed(answers, tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [["--objective-ms", "0"], ["--objective-ms", "nan"], ["--memory-mb", "0"], ["--memory-mb", "inf"], ["--rows", "0"]],
)
def test_limits_that_nothing_can_keep_or_miss_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parsed(arguments)


def test_a_model_that_is_slow_is_asked_by_fewer_clients_at_once(light: Subject, tmp_path: Path) -> None:
    scoring = Scoring(light, rows=1, connections=32, cores=2, folder=tmp_path)

    scoring.limit_connections(0.001)
    assert scoring.scenario(Candidate(2, "inline")).connections == 64
    scoring.limit_connections(0.5)
    assert scoring.scenario(Candidate(2, "inline")).connections == 20
    scoring.limit_connections(50)
    assert scoring.scenario(Candidate(2, "inline")).connections == 2


def test_one_more_worker_than_cores_is_asked_by_as_many_clients_as_one_a_core(light: Subject, tmp_path: Path) -> None:
    scoring = Scoring(light, rows=1, connections=32, cores=2, folder=tmp_path)

    assert [scoring.scenario(Candidate(workers, "inline")).connections for workers in (1, 2, 3)] == [32, 64, 64]


@pytest.fixture
def light(tmp_path: Path) -> Subject:
    return subject_of(FirstColumn(), tmp_path)


@needs_wrk
def test_a_tuning_of_two_candidates_ends_with_a_file_that_holds_one_of_them(light: Subject, tmp_path: Path) -> None:
    """In a closed loop; what is chosen is then asked by schedule."""
    effort = replace(LITTLE, most_share=0.0)
    tuned = Tuning(light, DEMAND, effort=effort, seed=1, folder=tmp_path).tuned(of=TWO)

    said = saved(
        tuned, None, subject=light, environment=environment(light.metadata, "none"), out=tmp_path / "tuned.env",
        records=tmp_path / "tune",
    )  # fmt: skip

    choice = tuned.choice.candidate
    settings = load_settings(tmp_path / "tuned.env")
    assert (settings.web_concurrency, settings.execution) == (1, choice.execution)
    assert f"Chosen: {choice.name}." in said
    assert tuned.closed
    assert "chosen by a closed loop of at most 2 connections a worker" in said
    assert tuned.generator_share > 0
    assert tuned.confirmations
    assert "**chosen**" in said
    assert light.metadata.sha256 in (tmp_path / "tuned.env").read_text()
    [record] = (tmp_path / "tune").iterdir()
    document = json.loads(record.read_text())
    assert document["choice"]["name"] == choice.name
    assert all(score["score"]["rate"] > 0 for score in document["finals"][0])
    assert {each["rung"] for each in document["trials"]} == {"screened"}


def test_where_our_own_generator_can_send_enough_a_candidate_is_measured_by_schedule(
    light: Subject, tmp_path: Path
) -> None:
    tuning = Tuning(light, DEMAND, effort=replace(LITTLE, most_share=1.0), seed=1, folder=tmp_path)

    score = tuning.measure(TWO[1], LITTLE.last, Score(500.0, 0, closed=True), 2)

    assert (score.closed, score.missed, score.pss_bytes > 0) == (False, "", True)
    probes = score.figures["probes"]
    # Half-way between what may be held of what a closed loop answers.
    assert probes[0]["offered_per_second"] == pytest.approx(350.0, rel=0.021)
    assert score.rate == max(each["offered_per_second"] for each in probes if each["passed"])


def test_who_is_judged_by_a_closed_loop_has_as_many_connections_as_keep_the_objective(
    light: Subject, tmp_path: Path
) -> None:
    scoring = Scoring(light, rows=1, connections=256, cores=1, folder=tmp_path)

    first = scoring.closed(TWO[0], seconds=1, objective_seconds=10, judged=False)
    # More than a client waits who is alone, and less than one of so many, however fast this machine is.
    objective = first.figures["p99_seconds"] / 4
    judged = scoring.closed(TWO[0], seconds=1, objective_seconds=objective, judged=True)

    assert first.figures["connections"] == 256
    assert judged.figures["connections"] < 256
    assert judged.figures["p99_seconds"] <= objective
    assert (judged.missed, judged.closed) == ("", True)


def test_a_server_that_refuses_to_start_ends_the_tuning_with_its_log(light: Subject, tmp_path: Path) -> None:
    scoring = Scoring(light, rows=1, connections=2, cores=1, folder=tmp_path)
    joblib.dump({"no": "model"}, light.artifact)

    with pytest.raises(ServerFailed, match="the artifact holds a dict, which cannot predict"):
        scoring.alone(TWO[0])


def test_ctrl_c_leaves_nothing_running_and_writes_nothing(text_artifact: Path, tmp_path: Path) -> None:
    payload, out, log = tmp_path / "payload.jsonl", tmp_path / "tuned.env", tmp_path / "log"
    payload.write_text("\n".join(map(json.dumps, TEXTS)))
    command = [sys.executable, "-m", "benchmarks.tuning", "--payload", str(payload), "--out", str(out)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**own_environment(), "MODEL_URI": str(text_artifact)}, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        # The arbiter of its first server, and its workers.
        wait_until(lambda: len(tree(process.pid)) > 2, seconds=60, told=log.read_text)
        started = tree(process.pid)

        os.killpg(process.pid, signal.SIGINT)

        assert process.wait(timeout=30) == 130
        wait_until(lambda: not any(map(family, started)), seconds=10, told=lambda: str(started))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert "interrupted; nothing was written" in log.read_text()
    assert not out.exists()
