"""The load generator wrk: a closed loop, each connection sending its next request when it has the answer."""

import re
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.failures import GeneratorSaturated, NoLoadGenerator, RequestsFailed, UnreadableOutput
from benchmarks.http_client import HOST

SCRIPT = Path(__file__).with_name("requests.lua")
# One thread asks for several times what the server answers, and takes no more cores than it needs.
THREADS = 1
MOST_BUSY = 0.95
ANSWER_SECONDS = 10
SLACK_SECONDS = 30
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION = r"(\d+(?:\.\d+)?)(us|ms|s|m|h)"


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk says about one window, in which every request was answered, with a status below 400."""

    requests: int
    seconds: float
    requests_per_second: float
    p50_seconds: float
    p99_seconds: float


@dataclass(frozen=True, slots=True)
class Window:
    """A load, wrk's own processor time in it, and wrk's words."""

    load: Load
    cpu_seconds: float
    output: str


def version() -> str:
    """As it calls itself: `debian/4.1.0-3+b2`."""
    try:
        answer = subprocess.run(["wrk", "-v"], capture_output=True, text=True)  # which always exits with 1
    except FileNotFoundError:
        raise NoLoadGenerator from None
    return _match(r"^wrk (\S+)", answer.stdout, "version").group(1)


def measure(*, port: int, bodies: Path, seconds: int, connections: int, path: str = "/predict") -> Window:
    """One window; raises RequestsFailed, UnreadableOutput or GeneratorSaturated rather than give a doubtful number."""
    before = _children_cpu_seconds()
    with asking(port=port, bodies=bodies, seconds=seconds, connections=connections, path=path) as process:
        output = finished(process, seconds)
    spent = _children_cpu_seconds() - before
    load = parse(output)
    refuse_saturated(spent, load.seconds)
    return Window(load, spent, output)


def refuse_saturated(spent: float, seconds: float) -> None:
    """Raises GeneratorSaturated where wrk used so much processor time that it may have been the limit."""
    if spent > MOST_BUSY * THREADS * seconds:
        raise GeneratorSaturated(f"wrk was busy for {spent:.1f} s of {seconds:.1f} s")


@contextmanager
def asking(
    *, port: int, bodies: Path, seconds: int, connections: int, path: str = "/predict"
) -> Iterator[subprocess.Popen[str]]:
    """A wrk that sends the lines of `bodies` to `path`; one that is not finished in the block is killed."""
    command = [
        "wrk", f"-t{THREADS}", f"-c{connections}", f"-d{seconds}s", f"--timeout={ANSWER_SECONDS}s", "--latency",
        f"--script={SCRIPT}", f"http://{HOST}:{port}{path}", "--", str(bodies),
    ]  # fmt: skip
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError:
        raise NoLoadGenerator from None
    with process:
        try:
            yield process
        finally:
            process.kill()


def finished(process: subprocess.Popen[str], seconds: int) -> str:
    """What it printed, once its window of so many seconds has ended as it should."""
    try:
        output, _ = process.communicate(timeout=seconds + SLACK_SECONDS)
    except subprocess.TimeoutExpired:
        raise RequestsFailed(f"wrk did not end within {seconds + SLACK_SECONDS} s") from None
    if process.returncode:
        raise UnreadableOutput(f"wrk ended with status {process.returncode}:\n{output}")
    return output


def parse(output: str) -> Load:
    """The numbers of `wrk --latency`; raises RequestsFailed if one request did, UnreadableOutput if a number lacks."""
    for failure in re.findall(r"^\s*(Socket errors: .*|Non-2xx or 3xx responses: .*)$", output, re.MULTILINE):
        raise RequestsFailed(f"wrk reports {failure}")
    total = _match(rf"^\s*(\d+) requests in {DURATION}, ", output, "number of requests")
    load = Load(
        requests=int(total.group(1)),
        seconds=float(total.group(2)) * SECONDS[total.group(3)],
        requests_per_second=float(_match(r"^Requests/sec:\s+(\d+\.\d+)$", output, "rate").group(1)),
        p50_seconds=_percentile(50, output),
        p99_seconds=_percentile(99, output),
    )
    if not all((load.requests, load.seconds, load.requests_per_second, load.p50_seconds, load.p99_seconds)):
        raise UnreadableOutput(f"wrk measured nothing:\n{output}")
    return load


def _percentile(percent: int, output: str) -> float:
    found = _match(rf"^\s*{percent}%\s+{DURATION} *$", output, f"{percent}th percentile")
    return float(found.group(1)) * SECONDS[found.group(2)]


def _match(pattern: str, text: str, what: str) -> re.Match[str]:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise UnreadableOutput(f"wrk's output has no {what}:\n{text}")
    return found


def _children_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
