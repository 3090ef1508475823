"""A process without an arbiter: its server, its end, and what ends it where it hangs."""

import contextlib
import faulthandler
import signal
import time
from collections.abc import Iterator

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import HANDLED_SIGNALS, Server

from app import inference_watch

# Between a stop that has come and what it waits for; an answer takes less.
ANSWER_SECONDS = 5


class LoneServer(Server):
    """Ends by itself once it is told to; uvicorn's own dies of the signal that told it, after all is done."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        former = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)


def serve_alone(app: ASGIApp, host: str, port: int | None) -> int:
    """Until SIGTERM or SIGINT, on that port or on none; the exit status."""
    config = Config(
        app, host=host, port=port or 0, loop="uvloop", ws="none", lifespan="on", log_config=None, access_log=False,
        server_header=False, timeout_graceful_shutdown=ANSWER_SECONDS,
    )  # fmt: skip
    server = LoneServer(config)
    try:
        server.run(sockets=[] if port is None else None)
    except SystemExit:
        # The log has the reason: its application has not started, or the port is taken.
        return 1
    return 0


def end_if_stuck(seconds: float) -> None:
    """From here on a predict that takes longer ends the process, after a word on where each thread is."""

    def told(since: float) -> None:
        faulthandler.cancel_dump_traceback_later()
        if since:
            left = since + seconds - time.monotonic()
            faulthandler.dump_traceback_later(max(left, 0.001), exit=True)

    inference_watch.observe(told)
