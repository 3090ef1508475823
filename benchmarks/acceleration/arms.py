"""What is measured side by side. Data only: which server, how it runs and how it is asked."""

from dataclasses import dataclass
from typing import Literal

from benchmarks.scenarios import Forkcast

ModelName = Literal["text", "forest", "boosting"]
Answers = Literal["whole", "label", "nothing", "rows"]


@dataclass(frozen=True, slots=True)
class Arm:
    """
    `baseline` is a module of benchmarks/baselines, empty for Forkcast itself, whose settings the next two fields are.

    `answers` says what comes back: Forkcast's own answer, label and score alone, the same whatever was asked, or the
    answers to many rows.
    """

    name: str
    question: str
    model: ModelName = "text"
    baseline: str = ""
    execution: Forkcast = "microbatch"
    acceleration: Literal["auto", "off"] = "auto"
    workers: int = 2
    connections: int = 32
    answers: Answers = "whole"


THREAD = "FastAPI, asyncio.to_thread, one process"
BLOCKING = "FastAPI, blocking async def, two stock UvicornWorkers"
NOTHING = "FastAPI that predicts nothing, two stock UvicornWorkers"
STARLETTE = "a bare Starlette route that predicts nothing, two stock UvicornWorkers"
FOREST = "Forkcast, forest of 200 trees"
BOOSTING = "Forkcast, histogram gradient boosting"

TEXT_ARMS = (
    Arm("text", "Forkcast, text model"),
    Arm("text-128", "Forkcast, text model", connections=128),
    Arm("text-1", "Forkcast, text model", connections=1),
    Arm("to-thread", THREAD, baseline="to_thread", workers=1, answers="label"),
    Arm("blocking", BLOCKING, baseline="blocking", answers="label"),
    Arm("fastapi", NOTHING, baseline="fastapi_nothing", answers="nothing"),
    Arm("fastapi-128", NOTHING, baseline="fastapi_nothing", connections=128, answers="nothing"),
    Arm("fastapi-1", NOTHING, baseline="fastapi_nothing", connections=1, answers="nothing"),
    Arm("starlette", STARLETTE, baseline="starlette_nothing", answers="nothing"),
)
TREE_ARMS = (
    Arm("forest", FOREST, model="forest"),
    Arm("forest-off", f"{FOREST}, its own predict", model="forest", execution="inline", acceleration="off"),
    Arm("forest-1", FOREST, model="forest", connections=1),
    Arm("forest-rows", f"{FOREST}, 256 rows a request", model="forest", connections=4, answers="rows"),
    Arm("forest-rows-off", f"{FOREST}, its own predict, 256 rows a request", model="forest", connections=4,
        acceleration="off", answers="rows"),
    Arm("boosting", BOOSTING, model="boosting"),
    Arm("boosting-off", f"{BOOSTING}, its own predict", model="boosting", execution="inline", acceleration="off"),
)  # fmt: skip
ARMS = (*TEXT_ARMS, *TREE_ARMS)
