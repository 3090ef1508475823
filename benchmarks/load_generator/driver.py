"""The load generator for other benchmarks: a process of its own for each window, and its failures as our own."""

import json
import subprocess
import sys
from pathlib import Path

from app.settings import ROOT
from benchmarks import failures
from benchmarks.failures import RequestsFailed, UnreadableOutput
from benchmarks.load_generator.forms import FormName
from benchmarks.load_generator.plan import TOLERANCE, Arrivals, Closed, Measured, Open, Plan

TIMEOUT_SECONDS = 10.0
# To start, and to reckon a long window.
SLACK_SECONDS = 60.0


def closed(
    *,
    port: int,
    path: str,
    bodies: Path,
    expected: Path,
    seconds: float,
    connections: int,
    keep_alive: bool = True,
    timeout_seconds: float = TIMEOUT_SECONDS,
    tolerance: float = TOLERANCE,
    form: FormName = "json",
) -> Measured:
    """As many requests as so many connections can have answered; raises RunFailed."""
    return measured(
        Plan(
            port=port, path=path, bodies=bodies, expected=expected, seconds=seconds, timeout_seconds=timeout_seconds,
            load=Closed(connections, keep_alive), tolerance=tolerance, form=form,
        )
    )  # fmt: skip


def open_loop(
    *,
    port: int,
    path: str,
    bodies: Path,
    expected: Path,
    seconds: float,
    arrivals: Arrivals,
    rate: float,
    seed: int,
    timeout_seconds: float = TIMEOUT_SECONDS,
    refusals_allowed: bool = False,
    errors_allowed: bool = False,
    tolerance: float = TOLERANCE,
    form: FormName = "json",
) -> Measured:
    """`rate` requests a second on average, whatever is answered; raises RunFailed."""
    return measured(
        Plan(
            port=port, path=path, bodies=bodies, expected=expected, seconds=seconds, timeout_seconds=timeout_seconds,
            load=Open(arrivals, rate, seed), refusals_allowed=refusals_allowed, errors_allowed=errors_allowed,
            tolerance=tolerance, form=form,
        )
    )  # fmt: skip


def measured(plan: Plan) -> Measured:
    """Of a process that is gone when this returns or raises."""
    command = [sys.executable, "-m", "benchmarks.load_generator"]
    most = plan.seconds + plan.timeout_seconds + SLACK_SECONDS
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            output, complaint = process.communicate(json.dumps(plan.to_json()), timeout=most)
        except subprocess.TimeoutExpired:
            raise RequestsFailed(f"the load generator did not end within {most:.0f} s") from None
        finally:
            process.kill()
            # Popen itself does not wait for it when its user interrupts.
            process.wait()
    if process.returncode:
        raise UnreadableOutput(f"the load generator ended with status {process.returncode}:\n{complaint}")
    return read(output)


def read(output: str) -> Measured:
    """What the process said; raises what it says that it raised."""
    try:
        result = json.loads(output)
        if "failed" not in result:
            return Measured(**result["measured"])
        failure, reason = getattr(failures, result["failed"]), str(result["reason"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableOutput(f"the load generator's output is no result: {output[:300]!r}") from error
    raise failure(reason)
