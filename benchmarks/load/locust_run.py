"""One run of Locust, in its own environment, and what its files say."""

import csv
import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.settings import ROOT
from benchmarks.failures import UnreadableOutput

PYTHON = ROOT / "var/venv-load/bin/python"
FILE = "benchmarks/load/locustfile.py"
# For requests that are under way at the end.
STOP_SECONDS = 10
SLACK_SECONDS = 60
# Locust's exit statuses where it has run: all is well, or requests have failed.
RAN = (0, 1)
LOG_LINES = 20


@dataclass(frozen=True, slots=True)
class Profile:
    """So many users, who come one after the other."""

    users: int
    per_second: int

    @property
    def name(self) -> str:
        return f"{self.users}-users"


@dataclass(frozen=True, slots=True)
class Route:
    """What one route was asked; latencies are None where it was never answered."""

    name: str
    requests: int
    failures: int
    p50_seconds: float | None
    p95_seconds: float | None
    requests_per_second: float


@dataclass(frozen=True, slots=True)
class Report:
    """`routes` end with all of them together; `faults` say what failed how often."""

    profile: Profile
    routes: Sequence[Route]
    faults: Sequence[str]


def run(profile: Profile, *, journey: Path, seconds: int, folder: Path) -> Report:
    """Locust's files are in `folder` when it ends; raises UnreadableOutput where they do not tell what it did."""
    prefix = folder / profile.name
    command = [
        str(PYTHON), "-m", "locust", "-f", FILE, "--headless", "-u", str(profile.users), "-r", str(profile.per_second),
        "-t", f"{seconds}s", "--stop-timeout", str(STOP_SECONDS), "--csv", str(prefix), "--csv-full-history",
        "--json-file", str(prefix), "--only-summary",
    ]  # fmt: skip
    log = folder / f"{profile.name}.log"
    with log.open("wb") as output:
        try:
            status = subprocess.run(
                command, cwd=ROOT, env={**os.environ, "JOURNEY": str(journey)}, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, timeout=seconds + SLACK_SECONDS,
            ).returncode  # fmt: skip
        except FileNotFoundError:
            raise UnreadableOutput(f"Locust is not installed at {PYTHON}; make load installs it") from None
        except subprocess.TimeoutExpired:
            raise UnreadableOutput(f"Locust did not end within {seconds + SLACK_SECONDS} s: {log}") from None
    if status not in RAN:
        told = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
        raise UnreadableOutput(f"Locust ended with status {status}:\n{told}")
    return judged(profile, prefix, failed=status != 0)


def judged(profile: Profile, prefix: Path, *, failed: bool) -> Report:
    """What Locust's files say; `failed` is what its exit status says."""
    routes = [route_of(row) for row in rows_of(prefix, "stats")]
    faults = [
        f"{row['Method']} {row['Name']}: {row['Error']} ({row['Occurrences']} times)"
        for row in rows_of(prefix, "failures")
    ]
    faults += [
        f"an error of the journey's own: {row['Message']} ({row['Count']} times)"
        for row in rows_of(prefix, "exceptions")
    ]
    counted = json.loads(prefix.with_suffix(".json").read_text())
    if not routes or routes[-1].requests != sum(each["num_requests"] for each in counted):
        raise UnreadableOutput(f"{prefix}_stats.csv does not hold all of Locust's requests")
    if not routes[-1].requests:
        faults.append("no request was made")
    if not faults and (failed or routes[-1].failures):
        faults.append("Locust says that requests have failed, and not which")
    return Report(profile, routes, faults)


def rows_of(prefix: Path, name: str) -> list[dict[str, str]]:
    """Raises UnreadableOutput where Locust has not written the file."""
    file = Path(f"{prefix}_{name}.csv")
    try:
        with file.open(newline="") as lines:
            return list(csv.DictReader(lines))
    except FileNotFoundError:
        raise UnreadableOutput(f"Locust has not written {file}") from None


def route_of(row: dict[str, str]) -> Route:
    try:
        return Route(
            name=f"{row['Type']} {row['Name']}" if row["Type"] else "all",
            requests=int(row["Request Count"]),
            failures=int(row["Failure Count"]),
            p50_seconds=seconds_of(row["50%"]),
            p95_seconds=seconds_of(row["95%"]),
            requests_per_second=float(row["Requests/s"]),
        )
    except (KeyError, ValueError) as error:
        raise UnreadableOutput(f"Locust's statistics lack a number: {error!r}") from error


def seconds_of(milliseconds: str) -> float | None:
    return None if milliseconds == "N/A" else float(milliseconds) / 1000
