"""What a model must show in each process before it gets traffic."""

import json
from typing import Any

import numpy as np
import structlog

from app import instances as block
from app.errors import ModelNotReady, Refusal
from app.execution import Executor, watched
from app.instances import Instances
from app.runtimes.base import Golden, ModelMetadata, Output, Runtime, unnamed
from app.runtimes.output import OutputRuntime

# Another processor may add in another order; a wrong or damaged model is far beyond this.
GOLDEN_TOLERANCE = 1e-9
# Of an instance, whose numbers are some hundred megabytes as Python's objects in the largest request.
MOST_WIDTH = 100_000
# More than one, so that an output with another first axis than the rows is told from others.
TRIED_ROWS = 3
log = structlog.stdlib.get_logger("forkcast")


def try_model(runtime: Runtime, executor: Executor) -> dict[Output, OutputRuntime]:
    """
    Predict the example and the golden instances; what computes each of the outputs that no prediction has in it.

    Raises ModelNotReady where the model cannot, or answers otherwise than when it was trained.
    """
    inputs = runtime.metadata.inputs
    try:
        runtime.prepare()
        for golden in runtime.metadata.goldens:
            _check_golden(golden, runtime)
        example = inputs.block([inputs.example], str)
        executor.warm_up(runtime, example)
        computing = [OutputRuntime(runtime, output) for output in in_no_prediction(runtime.metadata)]
        return {each.output: each for each in computing if _is_served(each, executor, example)}
    except ModelNotReady:
        raise
    except Exception as error:
        refusal = Refusal.MEMORY if isinstance(error, MemoryError) else Refusal.UNUSABLE
        reason = f"the model cannot predict its example ({type(error).__name__}: {error})"
        raise ModelNotReady(reason, refusal) from error


def _is_served(computing: OutputRuntime, executor: Executor, example: Instances) -> bool:
    """An output that does not answer the example a row an instance, in numbers that JSON has, is not."""
    try:
        for rows in (1, TRIED_ROWS):
            answer = computing.compute(block.concatenate([example] * rows), computing.output)
            computing.width = np.size(answer[:1])
            if len(answer) != rows or computing.width > MOST_WIDTH:
                raise ValueError(f"{len(answer)} answers of {computing.width} numbers to {rows} instances")
            json.dumps(answer.tolist(), allow_nan=False)
        executor.warm_up(computing, example)
    except Exception as error:
        log.warning("output not served", model=computing.metadata.name, output=computing.output, reason=str(error))
        return False
    return True


def in_no_prediction(model: ModelMetadata) -> list[Output]:
    """What it computes only where it is asked to."""
    predicted = {"predict", "predict_proba"} if model.has_probabilities else {"predict"}
    return [output for output in model.outputs if output not in predicted]


def _check_golden(golden: Golden, runtime: Runtime) -> None:
    answer = watched(runtime, runtime.metadata.inputs.block([golden.instance], str))
    if runtime.metadata.task != "regression" and list(answer.values) != [golden.value]:
        raise ModelNotReady("the model answers another label than when it was trained", Refusal.GOLDENS)
    expected: Any = golden.value if runtime.metadata.task == "regression" else golden.probabilities
    given: Any = unnamed(answer.values[0]) if answer.probabilities is None else answer.probabilities[0]
    if expected is not None and not np.allclose(given, expected, rtol=GOLDEN_TOLERANCE, atol=GOLDEN_TOLERANCE):
        raise ModelNotReady("the model answers other numbers than when it was trained", Refusal.GOLDENS)
