"""
`make load`: users who predict, against a server that runs; one failed or wrong answer fails the command.

What is asked is made from what the server says of its model, and asked once before the load: all later answers must be
those first ones.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from app.environment import SettingsInvalid, load_settings
from app.settings import ROOT
from benchmarks.failures import RunFailed
from benchmarks.load.journey import prepare
from benchmarks.load.locust_run import Profile, Report, run
from benchmarks.markdown import table

PROFILES = {"5": Profile(users=5, per_second=1), "10": Profile(users=10, per_second=2)}
HEAD = ("users", "route", "requests", "failures", "p50", "p95", "requests/s")


def load(url: str, profiles: Sequence[Profile], *, seconds: int, folder: Path) -> list[Report]:
    """Raises RunFailed before any load where the server is not ready for it."""
    journey = prepare(url)
    folder.mkdir(parents=True)
    file = folder / "journey.json"
    journey.write(file)
    print(f"asking {', '.join(journey.models)} at {url}; Locust's files are in {folder}", file=sys.stderr)
    return [run(each, journey=file, seconds=seconds, folder=folder) for each in profiles]


def shown(reports: Sequence[Report]) -> str:
    return "\n".join(table(HEAD, [line for report in reports for line in lines_of(report)]))


def lines_of(report: Report) -> list[list[str]]:
    return [
        [
            str(report.profile.users), route.name, f"{route.requests:,}", f"{route.failures:,}",
            milliseconds(route.p50_seconds), milliseconds(route.p95_seconds), f"{route.requests_per_second:.1f}",
        ]
        for route in report.routes
    ]  # fmt: skip


def milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.0f} ms"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--url", help="of the server (default: http://localhost and the setting PORT)")
    parser.add_argument(
        "--profile", choices=PROFILES, help="how many users (default: each of them, one after the other)"
    )
    parser.add_argument("--seconds", type=int, default=30, help="of each profile (default: 30)")
    parser.add_argument("--out", type=Path, help="folder of Locust's files (default: a new one in var/load)")
    options = parser.parse_args(arguments)
    folder = options.out or ROOT / "var/load" / datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    profiles = [PROFILES[options.profile]] if options.profile else list(PROFILES.values())
    try:
        url = (options.url or f"http://localhost:{load_settings().port}").rstrip("/")
        reports = load(url, profiles, seconds=options.seconds, folder=folder.absolute())
    except (RunFailed, SettingsInvalid) as error:
        print(f"no result: {error}", file=sys.stderr)
        return 1
    print(shown(reports))
    faults = [f"{report.profile.users} users: {fault}" for report in reports for fault in report.faults]
    for fault in faults:
        print(f"failed: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
