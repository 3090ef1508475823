"""The scenarios of `make bench-full`: one field changed against a baseline each. Data only."""

from collections.abc import Sequence
from dataclasses import replace

from app.processes.cores import usable_cores
from benchmarks.scenarios import ModelName, Scenario, Technique

# scikit-learn's own predict: what any technique has to work with.
TEXT = Scenario(name="text-blocking", question="What does an async route do that predicts by itself?",
                technique="blocking", model="text", acceleration="off")  # fmt: skip
INLINE = TEXT.but("text-inline", "Forkcast, each request by itself?", technique="inline")
TEXT_BATCHES = INLINE.but("text-microbatch", "Forkcast, in micro-batches?", technique="microbatch")
TECHNIQUES: dict[Technique, str] = {
    "run_in_executor": "A pool of three threads?",
    "to_thread": "asyncio.to_thread?",
    "def_route": "A plain def route, in the framework's own pool?",
    "process_pool": "A pool of processes inside the worker?",
    "asgi_worker": "Gunicorn's own asgi worker?",
    "queue": "A queue and a consumer?",
    "plain_loop": "No HTTP at all: the ceiling?",
    "threads": "Forkcast, in threads?",
    "microbatch": TEXT_BATCHES.question,
}
MODELS: tuple[ModelName, ...] = ("text", "forest", "boosting", "numpy", "null")
ROWS = (1, 64, 512)
CONNECTIONS = (1, 2, 4, 8, 16, 64, 128)
LOADS = (0.4, 0.6, 0.8, 0.9, 1.5, 3.0)
OPEN: tuple[Technique, ...] = ("blocking", "to_thread", "inline", "microbatch")


def full(cores: int | None = None) -> tuple[Scenario, ...]:
    """All of them, in groups that each answer one question."""
    cores = cores or usable_cores()
    many = max(2, cores)
    closed = (
        *techniques(many), *worker_counts(cores), *thread_counts(), *models(many), *connections(many), *acceleration(),
        *claims(many),
    )  # fmt: skip
    return (*closed, *open_loop(many))


def techniques(many: int) -> list[Scenario]:
    """Each technique with one worker, and with one a core."""
    alone = [TEXT, INLINE]
    for technique, question in TECHNIQUES.items():
        against = INLINE if technique in ("threads", "microbatch") else TEXT
        threads = {"run_in_executor": 3, "process_pool": many, "threads": many}.get(technique, 1)
        alone.append(replace(against.but(f"text-{technique}", question, technique=technique), threads=threads))
    return alone + [on(each, many) for each in alone if each.technique not in ("process_pool", "queue")]


def on(scenario: Scenario, workers: int) -> Scenario:
    return scenario.but(f"{scenario.name}-w{workers}", f"The same, {workers} workers?", workers=workers)


def worker_counts(cores: int) -> list[Scenario]:
    """How many? One more than cores, and the rule 2n + 1; two and one a core are among the techniques."""
    counts = sorted({cores + 1, 2 * cores + 1} - {1, max(2, cores)})
    return [on(each, count) for count in counts for each in (TEXT, INLINE)]


def thread_counts() -> list[Scenario]:
    """How many threads, for each kind of predict?"""
    scenarios = []
    kinds: tuple[tuple[ModelName, int], ...] = (("text", 1), ("forest", 64), ("numpy", 64))
    for model, rows in kinds:
        first = cell("threads", model, rows)
        name = f"{model}-{rows}-threads"
        first = replace(first, name=f"{name}-1", question="One thread beside the loop?")
        scenarios += [first, *(first.but(f"{name}-{count}", f"{count} threads?", threads=count) for count in (2, 4, 8))]
    return scenarios


def cell(technique: Technique, model: ModelName, rows: int) -> Scenario:
    """One worker that predicts with scikit-learn; few connections where a request is many rows."""
    name = f"{model}-{technique}" if rows == 1 else f"{model}-{rows}-{technique}"
    question = f"{model}, {rows} rows, {technique}?"
    return replace(
        TEXT, name=name, question=question, technique=technique, model=model, rows=rows,
        connections=32 if rows == 1 else 8,
    )  # fmt: skip


def models(many: int) -> list[Scenario]:
    """Threads against processes for each model and size of request; and ONNX Runtime behind FastAPI."""
    scenarios = []
    for model in MODELS:
        for rows in ROWS if model != "null" else ROWS[:1]:
            inline = cell("inline", model, rows)
            name = inline.name.removesuffix("inline")
            threads = inline.but(f"{name}threads", "In threads?", technique="threads", threads=many)
            scenarios += [inline, threads, on(inline, many)]
            if model in ("forest", "boosting", "numpy") and rows < ROWS[2]:
                blocking = inline.but(f"{name}blocking", "FastAPI?", technique="blocking")
                scenarios += [blocking, blocking.but(f"{name}onnx", "ONNX Runtime in its place?", technique="onnx")]
                scenarios.append(blocking.but(f"{name}def_route", "In a def route?", technique="def_route"))
    known = {scenario.name for scenario in techniques(many)}
    return [scenario for scenario in scenarios if scenario.name not in known]


def connections(many: int) -> list[Scenario]:
    """As it is served by default, and a thread for each request; kept alive, and a fresh connection each."""
    default = replace(
        TEXT, name="text-default", question="As Forkcast serves by default?", technique="microbatch", workers=many,
        acceleration="auto",
    )  # fmt: skip
    thread = on(TEXT.but("text-to_thread", "", technique="to_thread"), many)
    ladders = [default]
    for first in (default, thread):
        ladders += [
            first.but(f"{first.name}-c{count}", f"{count} connections?", connections=count) for count in CONNECTIONS
        ]
        # wrk makes no fresh connections: both are asked by the same generator.
        own = first.but(f"{first.name}-own", "Asked by our own generator?", own_generator=True)
        ladders += [own, own.but(f"{first.name}-fresh", "A connection for each request?", keep_alive=False)]
    return ladders


def acceleration() -> list[Scenario]:
    """What its own fused code brings Forkcast."""
    offs = [INLINE, cell("inline", "forest", 1), cell("inline", "boosting", 1), cell("inline", "forest", 64)]
    return [each.but(f"{each.name}-accelerated", "Accelerated?", acceleration="auto") for each in offs]


def claims(many: int) -> list[Scenario]:
    """What is said elsewhere, where no scenario above shows it."""
    default = connections(many)[0]
    logged, cached = (("FORKCAST_ACCESS_LOG", "on"),), (("FORKCAST_CACHE_ENTRIES", "10000"),)
    forest = replace(on(cell("blocking", "forest", 1), many), against="")
    batches = cell("microbatch", "forest", 1)
    return [
        default.but(f"{default.name}-logged", "With a line for each request?", settings=logged),
        default.but(f"{default.name}-cached", "All answers from the cache?", settings=cached),
        forest, forest.but(f"{forest.name}-preload", "Loaded before the fork?", preload=True),
        batches,
        *(cell_at(each, 1) for each in (batches, cell("inline", "forest", 1), INLINE, TEXT_BATCHES)),
    ]  # fmt: skip


def cell_at(scenario: Scenario, count: int) -> Scenario:
    return scenario.but(f"{scenario.name}-c{count}", f"{count} connections?", connections=count)


def open_loop(many: int) -> list[Scenario]:
    """Arrivals by a schedule, at shares of each technique's own capacity; and the highest rate within the objective."""
    closed = {scenario.technique: scenario for scenario in techniques(many) if scenario.workers == many}
    return [open_ for technique in OPEN for open_ in arrivals_of(closed[technique])]


def arrivals_of(closed: Scenario, loads: Sequence[float] = LOADS) -> list[Scenario]:
    search = closed.but(f"{closed.name}-search", "The highest rate within the objective?", arrivals="search")
    poisson = replace(
        closed, arrivals="poisson", load=loads[0], capacity_of=closed.name, against="",
        name=f"{closed.name}-poisson-{loads[0]:g}", question=f"Poisson arrivals at {loads[0]:g} of its capacity?",
    )  # fmt: skip
    others = [
        poisson.but(f"{closed.name}-poisson-{load:g}", f"At {load:g} of its capacity?", load=load) for load in loads[1:]
    ]
    middle = others[0]
    bursty = middle.but(f"{closed.name}-bursty-{middle.load:g}", "In bursts?", arrivals="bursty")
    constant = middle.but(f"{closed.name}-constant-{middle.load:g}", "Evenly?", arrivals="constant")
    return [poisson, *others, bursty, constant, replace(search, capacity_of=closed.name)]
