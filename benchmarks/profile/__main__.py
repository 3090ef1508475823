"""
`make profile`: where the time of a prediction goes, by the model at MODEL_URI and the settings in force, on one worker.

A fresh server is asked the same twice: while its worker is sampled, and while it is not, which shows what the sampling
costs. Its prediction cache is off.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from app.environment import SettingsInvalid, load_settings
from app.errors import ForkcastError
from app.settings import ROOT, Settings
from benchmarks import markdown, wrk
from benchmarks.account import stages
from benchmarks.account.measuring import sampled
from benchmarks.environment import environment
from benchmarks.failures import RunFailed
from benchmarks.profile.flame import collapsed, svg
from benchmarks.profile.questions import own_runtime, plan_of
from benchmarks.profile.table import render

THREADS = "\nWhat a thread spends while the event loop works counts as the loop's: predict takes at least its share.\n"


def run(settings: Settings, *, rows: int, connections: int, seconds: int, out: Path) -> str:
    """The text to show, which is in `out` as well, beside the stacks; raises RunFailed or ForkcastError."""
    stages.check()
    generator = f"wrk {wrk.version()}"
    runtime = own_runtime(settings)
    conditions = environment(runtime.metadata, generator)
    with tempfile.TemporaryDirectory(prefix="forkcast-profile-") as name:
        folder = Path(name)
        plan = plan_of(runtime, rows=rows, seconds=seconds, folder=folder)
        row, stacks = sampled(
            plan, connections=connections, execution=settings.execution, model_uri=settings.model_uri, folder=folder
        )
    model = f"{runtime.metadata.name} {runtime.metadata.version}"
    title = f"{model}, {rows} {'row' if rows == 1 else 'rows'} a request, execution {settings.execution}, one worker"
    shown = f"{title}; {generator}, {connections} keep-alive connections, a closed loop.\n{render(row, stacks)}\n"
    if settings.execution == "threads":
        shown += THREADS
    out.mkdir(parents=True)
    (out / "stacks.collapsed").write_text(collapsed(stacks))
    microseconds = row["worker_cpu_seconds"] / row["requests"] * 1e6
    (out / "flame.svg").write_text(svg(stacks, microseconds=microseconds, title=title))
    shown += f"\n{markdown.machine([{'environment': conditions}])}\n"
    (out / "profile.md").write_text(shown)
    return f"{shown}\nflame graph: {out / 'flame.svg'}, its stacks: {out / 'stacks.collapsed'}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--rows", type=int, default=1, help="of each request (default: 1)")
    parser.add_argument("--connections", type=int, default=32, help="of the load (default: 32)")
    parser.add_argument("--seconds", type=int, default=8, help="of each of the two windows (default: 8)")
    parser.add_argument("--out", type=Path, help="folder (default: a new one in var/profile)")
    options = parser.parse_args(arguments)
    if min(options.rows, options.connections, options.seconds) < 1:
        parser.error("--rows, --connections and --seconds must be at least 1")
    out = options.out or ROOT / "var/profile" / datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    try:
        settings, asked = load_settings(), {"rows": options.rows, "connections": options.connections}
        print(run(settings, **asked, seconds=options.seconds, out=out))
    except (RunFailed, ForkcastError, SettingsInvalid) as error:
        print(f"no result: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
