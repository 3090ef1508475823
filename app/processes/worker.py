"""The worker class: uvicorn under Gunicorn, in one of three roles."""

import asyncio
import faulthandler
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NoReturn

import structlog
from gunicorn.arbiter import Arbiter
from uvicorn_worker import UvicornWorker

from app.errors import ModelNotReady
from app.processes.connection import Connection
from app.processes.desk import Limits
from app.processes.engine import Engine
from app.processes.heartbeat import Heartbeat
from app.processes.scoreboard import Place, Role, Scoreboard, State

log = structlog.stdlib.get_logger("forkcast")

# Between two tries of a worker that cannot boot.
RETRY_SECONDS = 1.0
# Any but those by which Gunicorn ends the server.
EXIT_FAILURE = 1


class ForkcastWorker(UvicornWorker):  # type: ignore[misc]
    """
    What the hooks of `gunicorn.conf.py` give it: its place on the scoreboard, its limits and its application.

    The stock class shares load by luck, beats by the wall clock, ignores SIGQUIT, drops connections where it stops, and
    waits for clients without end; each is measured in the tests of this folder.
    """

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "uvloop",
        "http": Connection,
        "ws": "none",
        "interface": "asgi3",
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        # It would beat by the wall clock, and during a predict.
        "callback_notify": None,
    }

    scoreboard: Scoreboard
    place: Place
    limits: Limits
    ports: Sequence[int]
    make_application: Callable[[], Any]

    def load_wsgi(self) -> None:
        try:
            self.wsgi = self.make_application()
        except ModelNotReady as error:
            log.critical("model not ready", reason=error.reason)
            self._give_up()
        except Exception as error:
            log.critical("worker not ready", exc_info=error)
            self._give_up()

    def init_signals(self) -> None:
        super().init_signals()
        # A worker that is killed for its silence says where it was; the log's writer may be what is stuck.
        faulthandler.enable(all_threads=True)
        faulthandler.register(signal.SIGALRM, all_threads=True, chain=True)
        # Not through the loop, which a predict may hold, and past the exit handlers, which wait for inference threads.
        signal.signal(signal.SIGQUIT, lambda number, frame: os._exit(0))

    async def _serve(self) -> None:
        heartbeat = Heartbeat(self.tmp.fileno(), self.place, self.cfg.timeout)
        heartbeat.start()
        self.config.app = self.wsgi
        engine = Engine(self.config, self.scoreboard, self.place, self.limits, self.cfg.graceful_timeout)
        heartbeat.keep(asyncio.get_running_loop())
        await engine.serve(sockets=self._listeners())
        if not engine.started:
            self._give_up()

    def _give_up(self) -> NoReturn:
        """Be replaced, after a pause, as long as another worker serves; where none does, end the server, if need be."""
        serving = any(each.role is Role.SERVE and each.state is State.READY for each in self.scoreboard.workers())
        if not serving and self.place.role != Role.CONSUME:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
        time.sleep(RETRY_SECONDS)
        sys.exit(EXIT_FAILURE)

    def _listeners(self) -> list[Any]:
        """Those of its role; it lets go of the others, so that they end with the workers that serve them."""
        ours = [each for each in self.sockets if each.getsockname()[1] in self.ports]
        for other in self.sockets:
            if other not in ours:
                other.close()
        return ours
