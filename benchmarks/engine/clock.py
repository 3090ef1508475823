"""A wall clock that is stepped back an hour: libfaketime, with the monotonic clock left alone."""

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path

from benchmarks.engine.client import Crowd, run
from benchmarks.engine.estimators import Waits, saved
from benchmarks.engine.figures import Figure
from benchmarks.engine.replaced import until
from benchmarks.failures import ServerFailed
from benchmarks.server import Server, serving

# Debian's libfaketime 0.9.10 fails every sleep until a time of the monotonic clock that it leaves alone; Python's are.
SHIM = """
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left) {
    return syscall(SYS_clock_nanosleep, clock, flags, wanted, left) ? errno : 0;
}
"""
LIBRARIES = list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
TIMEOUT = 8
WATCHED_SECONDS = 3 * TIMEOUT


def measure(folder: Path) -> list[Figure]:
    if not LIBRARIES:
        raise ServerFailed("libfaketime is not installed; on Debian and Ubuntu: apt install faketime")
    artifact = saved(Waits(0.01).fit(), folder / "waits.joblib")
    offset = folder / "offset"
    shim = folder / "shim.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", shim], input=SHIM, text=True, check=True)
    offset.write_text("+0\n")
    settings = {
        "LD_PRELOAD": f"{shim}:{LIBRARIES[0]}", "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "GUNICORN_CMD_ARGS": f"--timeout {TIMEOUT}",
    }  # fmt: skip
    with serving(workers=2, execution="microbatch", model_uri=artifact, folder=folder, settings=settings) as server:
        workers = server.pids()
        crowd = run(_stepped(server, offset))
        unharmed = server.pids() == workers and "WORKER TIMEOUT" not in server.log
        hour = time.strftime("%Y-%m-%dT%H:", time.gmtime(time.time() - 3600))
        os.kill(server.arbiter, signal.SIGTTIN)
        # The log's times are those of the wall clock: they show that it was stepped.
        stepped = run(_told(server, f'"timestamp":"{hour}'))
    return [
        Figure(
            f"the clock stepped back an hour, timeout {TIMEOUT} s, watched for {WATCHED_SECONDS} s",
            "no worker is killed, no request fails",
            f"{'none' if unharmed else 'some'} killed, {crowd.failures.total()} of {crowd.outcomes.total():,} failed",
            unharmed and not crowd.failures and stepped,
        )
    ]


async def _told(server: Server, text: str) -> bool:
    await until(lambda: text in server.log)
    return True


async def _stepped(server: Server, offset: Path) -> Crowd:
    async with Crowd(server.port, 6) as crowd:
        await asyncio.sleep(2)
        offset.write_text("-3600\n")
        await asyncio.sleep(WATCHED_SECONDS)
    return crowd
