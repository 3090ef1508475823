"""The worker class: uvicorn under Gunicorn."""

import os
import signal
import sys
from typing import Any, ClassVar

from gunicorn.arbiter import Arbiter
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker


class ServingWorker(UvicornWorker):  # type: ignore[misc]
    """
    uvicorn on uvloop and httptools; the arbiter's `graceful_timeout` bounds its drain, and SIGQUIT ends it at once.

    The stock class does neither: https://github.com/Kludex/uvicorn-worker/issues/2.
    """

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "interface": "asgi3",
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.config.timeout_graceful_shutdown = self.cfg.graceful_timeout

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        server = Server(config=self.config)
        # Not through the loop, which a predict may hold, and past the exit handlers, which wait for inference threads.
        signal.signal(signal.SIGQUIT, lambda number, frame: os._exit(0))
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
