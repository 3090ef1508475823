"""What sends the load of a scenario: wrk or our own generator in a closed loop, ours alone by a schedule."""

import time
from dataclasses import asdict
from typing import Any, Protocol

from benchmarks import wrk
from benchmarks.failures import NoLoadGenerator
from benchmarks.load_generator import driver
from benchmarks.load_generator.outcome import FEWEST
from benchmarks.load_generator.plan import Measured
from benchmarks.markdown import Row
from benchmarks.questions import CheckedPlan
from benchmarks.repetition import Target, warm_up
from benchmarks.scenarios import Scenario

OWN = "forkcast"
FEWEST_FOR_P99 = FEWEST[99]
# What a closed loop's answers are not: refused, failed, or sent too late.
NOT_MEASURED: Row = {"p90_seconds": None, "p999_seconds": None, "histogram": None, "void": []}


class Generator(Protocol):
    """`exact` says that it reads every answer that the server gives."""

    exact: bool

    def load(self, port: int, plan: CheckedPlan, seconds: float) -> Row:
        """The figures of so many seconds; raises RunFailed where one request did."""
        ...


class ClosedLoop(Generator, Protocol):
    def warm_up(self, target: Target, plan: CheckedPlan) -> float:
        """Requests a second, of which enough were checked to find answers that are mixed up; raises RunFailed."""
        ...


class Wrk:
    exact = False

    def __init__(self, connections: int) -> None:
        self._connections = connections

    def load(self, port: int, plan: CheckedPlan, seconds: float) -> Row:
        started = time.monotonic()
        window = wrk.measure(
            port=port, bodies=plan.bodies, seconds=max(1, round(seconds)), connections=self._connections, path=plan.path
        )
        figures = {**NOT_MEASURED, **asdict(window.load), "started": started}
        if window.load.requests < FEWEST_FOR_P99:
            figures["p99_seconds"] = None
        figures |= {"generator": "wrk", "generator_cpu_seconds": window.cpu_seconds}
        return {**figures, "generator_output": window.output}

    def warm_up(self, target: Target, plan: CheckedPlan) -> float:
        return warm_up(target, plan, self._connections).requests_per_second


class Own:
    exact = True

    def __init__(self, connections: int, *, keep_alive: bool) -> None:
        self._connections = connections
        self._keep_alive = keep_alive

    def load(self, port: int, plan: CheckedPlan, seconds: float) -> Row:
        return figures(driver.closed(
            port=port, path=plan.path, bodies=plan.bodies, expected=plan.expected, seconds=seconds,
            connections=self._connections, keep_alive=self._keep_alive, tolerance=plan.tolerance, form=plan.form,
        ))  # fmt: skip

    def warm_up(self, target: Target, plan: CheckedPlan) -> float:
        return float(self.load(target.port, plan, plan.warm_up_seconds)["requests_per_second"])


class Schedule:
    """
    Arrivals at a rate, whatever is answered: a server may refuse some and say so, which is counted.

    In an `overload` there may be timeouts and broken connections too.
    """

    exact = True

    def __init__(
        self, arrivals: str, *, rate: float, seed: int, overload: bool = False,
        timeout_seconds: float = driver.TIMEOUT_SECONDS,
    ) -> None:  # fmt: skip
        self._arrivals: Any = arrivals
        self._rate = rate
        self._seed = seed
        self._timeout_seconds = timeout_seconds
        self.overload = overload

    def load(self, port: int, plan: CheckedPlan, seconds: float) -> Row:
        return figures(driver.open_loop(
            port=port, path=plan.path, bodies=plan.bodies, expected=plan.expected, seconds=seconds,
            arrivals=self._arrivals, rate=self._rate, seed=self._seed, timeout_seconds=self._timeout_seconds,
            refusals_allowed=True, errors_allowed=self.overload, tolerance=plan.tolerance, form=plan.form,
        ))  # fmt: skip


def figures(measured: Measured) -> Row:
    row = asdict(measured)
    return {**row, "generator": OWN, "generator_cpu_seconds": row.pop("cpu_seconds")}


def closed_loop(scenario: Scenario) -> ClosedLoop:
    """wrk where it can do what is asked, and is installed."""
    if scenario.keep_alive and not scenario.own_generator and wrk_is_installed():
        return Wrk(scenario.connections)
    return Own(scenario.connections, keep_alive=scenario.keep_alive)


def wrk_is_installed() -> bool:
    try:
        wrk.version()
    except NoLoadGenerator:
        return False
    return True


def described() -> str:
    """For the environment of a result."""
    return f"wrk {wrk.version()}" if wrk_is_installed() else OWN
