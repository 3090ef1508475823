"""A peer's server: started, timed by its first right answer, hurt, and gone afterwards with all of its processes."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks import processes
from benchmarks.failures import RequestsFailed, ServerFailed, WrongAnswer
from benchmarks.http_client import Reply
from benchmarks.interruption import interruptible
from benchmarks.peers.asked import Asked
from benchmarks.peers.contract import Launch
from benchmarks.peers.ports import EPHEMERAL, lasting_port
from benchmarks.peers.recovery import Patience, busiest, recovery
from benchmarks.peers.server import PeerServer, served
from tests.waiting import wait_until

MADE_UP = Path(__file__).with_name("made_up_peer.py")
ASKED = [Asked("/predict", json.dumps({"label": name}).encode(), {"label": name}) for name in ("good", "bad")]
BRIEF = Patience(before_seconds=2, good_seconds=0.5, most_seconds=4)
# Where all is well in the end, however busy the machine is.
LONG = Patience(before_seconds=2, good_seconds=0.5, most_seconds=60)


@contextmanager
def made_up(how: str, folder: Path) -> Iterator[PeerServer]:
    port = lasting_port()
    with served(Launch([sys.executable, str(MADE_UP), str(port), how], {}), port=port, folder=folder) as server:
        yield server


def gone(pid: int) -> bool:
    return not processes.family(pid)


def test_all_its_processes_are_found_and_none_is_left(tmp_path: Path) -> None:
    with made_up("well", tmp_path) as server:
        server.wait_until_right(ASKED[0])
        pids = server.pids()

    assert pids[0] == server.first
    assert len(set(pids)) == 3
    wait_until(lambda: all(map(gone, pids)), seconds=10, told=lambda: f"{pids} are there")


def test_those_that_outlive_the_first_are_ended_too(tmp_path: Path) -> None:
    with made_up("ends", tmp_path) as server:
        server.wait_until_right(ASKED[0])
        first, *others = server.pids()
        hurt = recovery(server, others[0], ASKED, patience=LONG)

    assert (hurt.seconds, hurt.lacking) == (None, "the server ended")
    wait_until(lambda: all(map(gone, (first, *others))), seconds=10, told=lambda: f"{others} are there")


def test_a_wrong_answer_at_the_start_ends_the_wait_at_once(tmp_path: Path) -> None:
    started = time.monotonic()

    with made_up("wrong", tmp_path) as server, pytest.raises(WrongAnswer, match="another"):
        server.wait_until_right(ASKED[0])

    assert time.monotonic() - started < 60


def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    with made_up("broken", tmp_path) as server, pytest.raises(ServerFailed, match=r"status 1(?s:.*)no model here"):
        server.wait_until_right(ASKED[0])


def test_a_server_that_replaces_the_killed_process_is_well_again(tmp_path: Path) -> None:
    with made_up("well", tmp_path) as server:
        server.wait_until_right(ASKED[0])
        _, victim, other = server.pids()

        hurt = recovery(server, victim, ASKED, patience=LONG)
        after = server.pids()

    assert hurt.lacking is None
    assert hurt.seconds is not None
    assert hurt.seconds <= LONG.most_seconds
    # Some client's connection was its.
    assert 0 < hurt.failed < hurt.requests
    assert len(after) == 3
    assert victim not in after
    assert other in after
    assert "/" not in hurt.victim
    assert "made_up_peer.py" in hurt.victim


def test_a_server_that_stays_a_process_short_is_not_well_again(tmp_path: Path) -> None:
    with made_up("forgets", tmp_path) as server:
        server.wait_until_right(ASKED[0])
        _, victim, _ = server.pids()

        hurt = recovery(server, victim, ASKED, patience=BRIEF)

    assert hurt.seconds is None
    assert hurt.lacking is not None
    assert hurt.lacking.startswith("missing: 1 of")


def test_a_watch_that_is_ended_leaves_no_process(tmp_path: Path) -> None:
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    interruptible()
    try:
        with made_up("forgets", tmp_path) as server:
            server.wait_until_right(ASKED[0])
            pids = server.pids()

            def end_it() -> None:
                wait_until(lambda: gone(pids[1]), seconds=30, told=lambda: "nothing was killed")
                os.kill(os.getpid(), signal.SIGTERM)

            with ThreadPoolExecutor(1) as other:
                other.submit(end_it)
                with pytest.raises(KeyboardInterrupt):
                    recovery(server, pids[1], ASKED, patience=LONG)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)

    wait_until(lambda: all(map(gone, pids)), seconds=10, told=lambda: f"{pids} are there")


def test_an_answer_that_is_wrong_under_load_fails_the_run(tmp_path: Path) -> None:
    with made_up("well", tmp_path) as server:
        server.wait_until_right(ASKED[0])
        wrong = [Asked("/predict", ASKED[0].body, {"label": "bad"})]

        with pytest.raises(WrongAnswer, match="bad"):
            recovery(server, server.pids()[1], wrong, patience=BRIEF)


def test_the_busiest_process_is_none_that_looks_after_others(tmp_path: Path) -> None:
    with made_up("well", tmp_path) as server:
        server.wait_until_right(ASKED[0])
        first, one, other = server.pids()

        # This process has the server below it, as a program that starts a server has.
        assert busiest(server, {first: 9.0, os.getpid(): 8.0, one: 1.0, other: 2.0}) == other
        with pytest.raises(ServerFailed, match="one process alone"):
            busiest(server, {server.first: 9.0})


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [(500, b"{}", RequestsFailed), (200, b"<html>", WrongAnswer), (200, b'{"label": "bad"}', WrongAnswer)],
)
def test_what_is_no_right_answer_is_refused(status: int, body: bytes, failure: type[Exception]) -> None:
    with pytest.raises(failure):
        ASKED[0].check(Reply(status, body, None))


def test_a_port_is_none_that_the_kernel_gives_to_connections() -> None:
    lowest = int(EPHEMERAL.read_text().split()[0])

    assert all(lasting_port() < lowest for _ in range(5))
