"""Faster ways to the answers of estimators that are known here."""

from collections.abc import Callable
from typing import Any

import structlog

from app.runtimes.acceleration import linear_text, trees
from app.runtimes.acceleration.accelerated_runtime import AcceleratedRuntime
from app.runtimes.acceleration.base import Accelerator
from app.runtimes.base import ModelMetadata, Runtime
from app.runtimes.sklearn_runtime import SklearnRuntime

log = structlog.stdlib.get_logger("forkcast")
Build = Callable[[Any, ModelMetadata], Accelerator | None]
BUILDERS: tuple[Build, ...] = (linear_text.build, trees.build)


def accelerated(runtime: Runtime) -> Runtime:
    """The runtime with a faster way beside its own, where there is one for its estimator; else as it was."""
    if not isinstance(runtime, SklearnRuntime):
        return runtime
    estimator = runtime.estimator
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    for build in BUILDERS:
        try:
            accelerator = build(estimator, runtime.metadata)
        except Exception as error:
            # It is served without, as any other estimator is.
            log.warning("model not accelerated", model=runtime.metadata.name, exc_info=error)
            continue
        if accelerator is not None:
            return AcceleratedRuntime(runtime, accelerator)
    return runtime
