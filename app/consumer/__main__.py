"""`make consume`, `make jobs-dead` and `make jobs-replay`."""

import argparse
import asyncio
import sys

from app.consumer import dead_letters
from app.environment import SettingsInvalid, load_settings
from app.errors import JobsUnavailable
from app.processes.library_threads import hold_to_one
from app.queueing import make_queue
from app.settings import Settings


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.consumer", description="Run background jobs.")
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--dead", action="store_true", help="list the jobs that failed, and end")
    ways.add_argument("--replay", metavar="ID", help="queue one that failed again, or all; and end")
    chosen = parser.parse_args(arguments)
    try:
        settings = load_settings()
    except SettingsInvalid as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if chosen.dead or chosen.replay is not None:
        return asyncio.run(ask(settings, chosen.replay))
    hold_to_one()
    # Imports numpy, which reads the variables.
    from app.consumer.alone import run

    return run(settings)


async def ask(settings: Settings, replayed: str | None) -> int:
    """List what failed, or replay it; the exit status."""
    try:
        queue = make_queue(settings)
        if queue is None:
            raise ValueError("FORKCAST_JOBS_URL is off")
        try:
            return await (dead_letters.show(queue) if replayed is None else dead_letters.replay(queue, replayed))
        finally:
            await queue.close()
    except (JobsUnavailable, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
