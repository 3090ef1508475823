"""A process that runs background jobs beside a server."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.server.running_server import Settings, end


def started(project: Path, log: Path, settings: Settings) -> "subprocess.Popen[bytes]":
    """`python -m app.consumer`, with these settings and nothing of this process's environment."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "app.consumer"], cwd=project, env={"PATH": os.environ["PATH"], **settings},
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


@contextlib.contextmanager
def consuming(project: Path, log: Path, settings: Settings) -> Iterator["subprocess.Popen[bytes]"]:
    process = started(project, log, settings)
    try:
        yield process
    finally:
        end(process)
