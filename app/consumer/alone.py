"""The composition root of `make consume`: a process that loads the model and runs jobs until it is stopped."""

import logging.config

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app import metrics
from app.consumer.application import create_app
from app.errors import ModelNotReady
from app.loading import load_models
from app.log_config import logging_config
from app.processes.lifecycle import freeze_heap
from app.processes.lone_server import end_if_stuck, serve_alone
from app.queueing import make_queue
from app.settings import GRACE_SECONDS, Settings
from app.surroundings import make_surroundings

log = structlog.stdlib.get_logger("forkcast")


def run(settings: Settings) -> int:
    """The exit status: 0 after a stop, 1 where it could not start."""
    logging.config.dictConfig(logging_config(settings.log_level, settings.log_format))
    try:
        return _run(settings)
    except ModelNotReady as error:
        log.critical("start refused", reason=error.reason)
    except (OSError, ValueError) as error:
        log.critical("start refused", reason=str(error))
    return 1


def _run(settings: Settings) -> int:
    if make_queue(settings) is None:
        raise ValueError("FORKCAST_JOBS_URL is off")
    models = load_models(settings)
    if not models.loaded:
        raise ModelNotReady("no model is loaded")
    freeze_heap()
    end_if_stuck(settings.request_timeout_seconds + 2 * GRACE_SECONDS)
    app = create_app(
        settings, models, make_surroundings(settings, models), [Route("/metrics", _metrics), Route("/livez", _livez)]
    )
    return serve_alone(app, settings.ops_host, settings.consumer_metrics_port)


async def _metrics(request: Request) -> Response:
    body, content_type = metrics.render()
    return Response(body, headers={"content-type": content_type})


async def _livez(request: Request) -> Response:
    """200 while the loop turns."""
    return Response(b'{"status":"ok"}', media_type="application/json")
