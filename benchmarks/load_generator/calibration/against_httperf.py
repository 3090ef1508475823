"""
The open loop beside httperf's, on a server that stops for a while again and again.

httperf starts requests at a rate too, each on a connection of its own, whatever was answered. autocannon is no measure
for this though it takes a rate (`-R`): it sends each second's requests at once at its beginning, rounds latencies to
whole milliseconds, and corrects them as if every request were due a millisecond after the last.
"""

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

from benchmarks.engine.estimators import ANSWER, WaitsAsTold, saved
from benchmarks.engine.figures import Figure
from benchmarks.failures import NotMeasurable, RequestsFailed, UnreadableOutput
from benchmarks.http_client import HOST
from benchmarks.load_generator.calibration.questions import Asking, asking
from benchmarks.load_generator.latencies import decoded, percentile
from benchmarks.server import serving

# Of each twenty requests one holds the only worker so long that three others are due meanwhile; short latencies would
# not do, since httperf counts them by whole milliseconds.
USUAL_SECONDS, STALL_SECONDS, EVERY = 0.01, 0.1, 20
RATE = 40
ROUNDS = 3
PERCENTS = (50, 99)
MOST_APART = 0.10
TIMEOUT_SECONDS = 10
SLACK_SECONDS = 60.0
BIN = re.compile(r"^ +(\d+\.\d) (\d+)$", re.MULTILINE)

Bins = Counter[float]


def measure(folder: Path, seconds: float) -> list[Figure]:
    """Windows of one and of the other by turns, on one server; raises NotMeasurable without httperf."""
    if shutil.which("httperf") is None:
        raise NotMeasurable("httperf is not installed; on Debian and Ubuntu: apt install httperf")
    artifact = saved(WaitsAsTold().fit(), folder / "waits.joblib")
    features = [USUAL_SECONDS] * (EVERY - 1) + [STALL_SECONDS]
    histograms, bins = [], Bins()
    with serving(workers=1, execution="inline", model_uri=artifact, folder=folder) as server:
        asked = asking(server.port, folder, answer={"prediction": ANSWER}, seconds=seconds, features=features)
        asked.open_loop(RATE, "constant")
        for _ in range(ROUNDS):
            histograms.append(asked.open_loop(RATE, "constant").histogram)
            bins += httperf(asked, folder)
    ours = decoded(histograms)
    return [figure(percent, percentile(ours, percent), bin_percentile(bins, percent)) for percent in PERCENTS]


def figure(percent: int, ours: float | None, other: float) -> Figure:
    assert ours is not None
    return Figure(
        f"open loop, {RATE} requests/s at a constant rate, each {EVERY}th takes {STALL_SECONDS * 1e3:.0f} ms of the "
        f"only worker, the others {USUAL_SECONDS * 1e3:.0f} ms: p{percent} beside httperf's",
        f"within {MOST_APART:.0%}",
        f"{ours / other:.2f}; {ours * 1e3:.1f} and {other * 1e3:.1f} ms, of {ROUNDS} windows each",
        abs(ours / other - 1) <= MOST_APART,
    )


def bin_percentile(bins: Bins, percent: float) -> float:
    """In seconds, the middle of the bin that holds it."""
    left = bins.total() * percent / 100
    for seconds, count in sorted(bins.items()):
        left -= count
        if left <= 0:
            return seconds
    raise UnreadableOutput("httperf counted no connection")


def httperf(asked: Asking, folder: Path) -> Bins:
    """Of the same bodies at the same rate; raises RequestsFailed or UnreadableOutput."""
    count = round(RATE * asked.seconds)
    command = [
        "httperf", "--hog", f"--server={HOST}", f"--port={asked.port}", f"--rate={RATE}",
        f"--timeout={TIMEOUT_SECONDS}", f"--wsesslog={count},0,{sessions(asked, folder / 'sessions')}",
        "--verbose", "--verbose", r"--add-header=content-type: application/json\n",
    ]  # fmt: skip
    most = asked.seconds + SLACK_SECONDS
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=most, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise RequestsFailed(f"httperf did not end within {most:.0f} s") from None
    return read(ended.stdout, count)


def sessions(asked: Asking, file: Path) -> Path:
    """One request each, which httperf starts one after the other and then again."""
    bodies = asked.bodies.read_text().splitlines()
    file.write_text("\n\n".join(f"{asked.path} method=POST contents='{body}'" for body in bodies) + "\n")
    return file


def read(output: str, count: int) -> Bins:
    """Connections by seconds; raises RequestsFailed unless there were so many answers, all of them of the class 2xx."""
    statuses = re.search(r"^Reply status: (.*)$", output, re.MULTILINE)
    lifetimes = output.partition("Connection lifetime histogram (time in ms):")[2].partition("\n\n")[0]
    if statuses is None or not lifetimes:
        raise UnreadableOutput(f"httperf's output has no statuses or no histogram:\n{output}")
    if f"2xx={count}" not in statuses.group(1).split():
        raise RequestsFailed(f"httperf reports, of {count} requests, {statuses.group(1)}")
    bins = Bins({float(middle) / 1e3: int(many) for middle, many in BIN.findall(lifetimes)})
    if bins.total() != count:
        raise UnreadableOutput(f"httperf's histogram is of {bins.total()} rather than {count} connections:\n{output}")
    return bins
