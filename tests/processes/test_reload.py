"""What the arbiter does with the answer of a proof, and with the signals that come meanwhile."""

import gc
import queue
import signal
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gunicorn.errors import HaltServer

from app.errors import ModelNotReady, Refusal
from app.processes import lifecycle, reload
from app.processes.reload import reload_model, told_to_stop


class App:
    callable = "former"


class FakeArbiter:
    """What of Gunicorn's arbiter a reload calls."""

    def __init__(self) -> None:
        self.app = App()
        self.SIG_QUEUE: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.attended: list[str] = []

    def reap_workers(self) -> None:
        self.attended.append("reap")

    def murder_workers(self) -> None:
        self.attended.append("murder")

    def manage_workers(self) -> None:
        self.attended.append("manage")


@pytest.fixture(autouse=True)
def counts() -> Iterator[Callable[[], tuple[int, int, int]]]:
    """Those of the scoreboard, from zero: succeeded, refused, and why."""
    header = lifecycle.scoreboard.header
    header.reloads_succeeded = header.reloads_refused = header.last_refusal = 0
    yield lambda: (header.reloads_succeeded, header.reloads_refused, header.last_refusal)
    header.reloads_succeeded = header.reloads_refused = header.last_refusal = 0
    gc.unfreeze()


def run(arbiter: Any, prove: Callable[[], str], adopt: Callable[[str], Any], seconds: float = 30) -> None:
    reload_model(arbiter, prove=prove, adopt=adopt, seconds=seconds, max_memory_bytes=2**30)


def raising(error: BaseException) -> Callable[..., Any]:
    def call(*arguments: object) -> Any:
        raise error

    return call


def test_what_was_proven_is_adopted_and_counted(counts: Callable[[], object]) -> None:
    arbiter = FakeArbiter()

    run(arbiter, lambda: "proof", lambda proven: f"application of {proven}")

    assert arbiter.app.callable == "application of proof"
    assert counts() == (1, 0, Refusal.NONE)


def test_what_the_former_model_leaves_is_collected_and_the_heap_is_frozen_again() -> None:
    class Former:
        def __init__(self) -> None:
            self.itself = self

    arbiter: Any = FakeArbiter()
    arbiter.app.callable = Former()
    former = weakref.ref(arbiter.app.callable)
    gc.freeze()

    run(arbiter, lambda: "proof", str)

    assert former() is None
    assert gc.get_freeze_count() > 0


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (ModelNotReady("changed", Refusal.UNPINNED), Refusal.UNPINNED),
        (MemoryError(), Refusal.MEMORY),
        (SystemExit(1), Refusal.CRASHED),
        (RuntimeError(), Refusal.FAULT),
    ],
)
def test_what_cannot_be_adopted_is_refused_and_raises_nothing(
    counts: Callable[[], object], error: BaseException, refusal: Refusal
) -> None:
    arbiter = FakeArbiter()

    run(arbiter, lambda: "proof", raising(error))

    assert arbiter.app.callable == "former"
    assert counts() == (0, 1, refusal)


def test_a_reload_that_succeeds_forgets_the_last_refusal(counts: Callable[[], object]) -> None:
    run(FakeArbiter(), raising(ModelNotReady("no", Refusal.SCHEMA)), str)
    assert counts() == (0, 1, Refusal.SCHEMA)

    run(FakeArbiter(), lambda: "proof", str)

    assert counts() == (1, 1, Refusal.NONE)


def test_a_worker_that_cannot_boot_still_ends_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    arbiter = FakeArbiter()
    monkeypatch.setattr(arbiter, "reap_workers", raising(HaltServer("boot", 3)))

    with pytest.raises(HaltServer):
        run(arbiter, signal.pause, str)  # type: ignore[arg-type]


def test_the_arbiter_goes_its_rounds_during_a_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "SECONDS_BETWEEN_MURDERS", 0.0)
    arbiter = FakeArbiter()

    run(arbiter, signal.pause, str, seconds=0.25)  # type: ignore[arg-type]

    assert arbiter.attended[:3] == ["reap", "murder", "manage"]


@pytest.mark.parametrize(
    ("waiting", "stops"),
    [
        ([signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD], True),
        ([signal.SIGCHLD, signal.SIGINT], True),
        ([signal.SIGQUIT], True),
        ([signal.SIGHUP, signal.SIGCHLD, signal.SIGHUP], False),
        ([], False),
    ],
)
def test_signals_are_looked_at_and_stay_in_their_order(waiting: list[int], stops: bool) -> None:
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in waiting:
        signals.put(number)

    assert told_to_stop(signals) is stops

    assert [signals.get_nowait() for _ in range(signals.qsize())] == waiting
