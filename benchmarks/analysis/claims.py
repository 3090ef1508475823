"""What is said elsewhere about serving models, and the cells that test it."""

from typing import Any, Protocol

from benchmarks.analysis.cells import Figure, memory, p50, p99, throughput
from benchmarks.analysis.verdicts import Claim, Evidence, Rule, above, at_least, at_most, below, between, judged
from benchmarks.intervals import Interval, Ratio, median_interval

# A plain `def` route is fine where it answers nearly as many, nearly as fast.
FINE_THROUGHPUT = 0.95
FINE_LATENCY = 1.2
# Above what is claimed, for what starting threads takes.
ROUND_MARGIN = 1.1
CLAIMED_SECONDS = 0.4
CLAIMED_THREADS_A_CORE = 5


class Ratios(Protocol):
    """As `Cells` has them: how many workers or threads are one a core, and what was measured of two cells."""

    @property
    def cores(self) -> int: ...

    @property
    def many(self) -> int: ...

    def ratio(self, name: str, against: str, figure: Figure) -> Ratio | None: ...


def claims(cells: Ratios, experiments: dict[str, Any] | None) -> list[Claim]:
    """`experiments` is what benchmarks.experiments measured beside the series, None where it did not."""
    return [
        to_thread(cells), more_workers_than_cores(cells), def_routes(cells), onnx(cells), forest_threads(cells),
        preload(cells), batching(cells), caching(cells), logging(cells), pool_size(experiments),
        ten_callers(experiments),
    ]  # fmt: skip


class Comparison:
    """Two cells of a series, of which figures are compared."""

    def __init__(self, cells: Ratios, measured: str, baseline: str) -> None:
        self._cells, self._names = cells, (measured, baseline)

    def evidence(self, what: str, figure: Figure, asked: str, rule: Rule, *, counts: bool = True) -> Evidence:
        ratio = self._cells.ratio(*self._names, figure)
        return Evidence(what, self._names, asked, ratio, judged(ratio, rule), counts)


def to_thread(cells: Ratios) -> Claim:
    pairs = [("one worker", ""), (f"{cells.many} workers", f"-w{cells.many}")]
    found = [
        Comparison(cells, f"text-to_thread{suffix}", f"text-blocking{suffix}").evidence(
            f"throughput, {where}", throughput, "at least 3", at_least(3)
        )
        for where, suffix in pairs
    ]
    return Claim("asyncio.to_thread gives 3 to 5 times", tuple(found))


def more_workers_than_cores(cells: Ratios) -> Claim:
    rule = 2 * cells.cores + 1
    found = [
        Comparison(cells, f"text-{technique}-w{rule}", f"text-{technique}-w{cells.many}").evidence(
            f"throughput of {rule} to {cells.many} workers, {technique}", throughput, "above 1", above(1)
        )
        for technique in ("blocking", "inline")
    ]
    return Claim("use 2n + 1 workers", tuple(found), f"n is the number of cores, {cells.cores} here.")


def def_routes(cells: Ratios) -> Claim:
    found = []
    for model in ("text", "forest-64", "numpy-64"):
        pair = Comparison(cells, f"{model}-def_route", f"{model}-blocking")
        found += [
            pair.evidence(f"throughput, {model}", throughput, f"at least {FINE_THROUGHPUT}", at_least(FINE_THROUGHPUT)),
            pair.evidence(f"p99, {model}", p99, f"at most {FINE_LATENCY}", at_most(FINE_LATENCY)),
        ]
    fine = f"at least {FINE_THROUGHPUT} of its throughput and no more than {FINE_LATENCY} times its p99"
    return Claim("def routes are fine for inference", tuple(found), f"Fine: against an async route, {fine}.")


def onnx(cells: Ratios) -> Claim:
    names = [f"{model}{rows}" for model in ("forest", "boosting", "numpy") for rows in ("", "-64")]
    found = [
        Comparison(cells, f"{name}-onnx", f"{name}-blocking").evidence(
            f"throughput, {name}", throughput, "above 1", above(1)
        )
        for name in names
    ]
    return Claim("ONNX is faster", tuple(found), "Both behind FastAPI, in an async route.")


def forest_threads(cells: Ratios) -> Claim:
    found = [
        Comparison(cells, f"{name}-threads-{count}", f"{name}-threads-1").evidence(
            f"throughput of {count} threads to one, {name}", throughput, "above 1", above(1), counts=name == "forest-64"
        )
        for name in ("forest-64", "numpy-64", "text-1")
        for count in (2, 4, 8)
    ]
    return Claim("more threads help forests", tuple(found), "The other models stand beside, and decide nothing.")


def preload(cells: Ratios) -> Claim:
    alone = f"forest-blocking-w{cells.many}"
    pair = Comparison(cells, f"{alone}-preload", alone)
    found = pair.evidence("memory of all processes (PSS)", memory, "below 1", below(1))
    return Claim("preload saves memory", (found,))


def batching(cells: Ratios) -> Claim:
    found = [
        Comparison(cells, f"{model}-microbatch{suffix}", f"{model}-inline{suffix}").evidence(
            f"{name}, {model}, {where}", figure, "at most 0.6", at_most(0.6)
        )
        for model in ("text", "forest")
        for where, suffix in (("32 connections", ""), ("1 connection", "-c1"))
        for name, figure in (("p50", p50), ("p99", p99))
    ]
    return Claim("batching lowers latency by 40 to 60 %", tuple(found), "In a closed loop, one worker.")


def caching(cells: Ratios) -> Claim:
    pair = Comparison(cells, "text-default-cached", "text-default")
    found = (
        pair.evidence("p50", p50, "at most 0.8", at_most(0.8)),
        pair.evidence("throughput", throughput, "at least 1.2", at_least(1.2), counts=False),
    )
    remark = (
        "What is cached here is the prediction, not features, and at least 98 % of what was asked for was in it: about "
        "the most that a cache can bring."
    )
    return Claim("feature caching lowers latency by 20 to 30 %", found, remark)


def logging(cells: Ratios) -> Claim:
    pair = Comparison(cells, "text-default-logged", "text-default")
    found = pair.evidence("throughput", throughput, "0.90 to 0.95", between(0.90, 0.95))
    return Claim("logging costs 5 to 10 %", (found,), "A line for each request.")


def pool_size(experiments: dict[str, Any] | None) -> Claim:
    found = []
    pools = (("asyncio.to_thread's pool", "asyncio_threads"), ("the framework's pool, of def routes", "anyio_threads"))
    for what, key in pools:
        asked = f"{CLAIMED_THREADS_A_CORE} a core"
        if experiments is None:
            found.append(Evidence(f"threads, {what}", (), asked, None, "not measured"))
            continue
        count = float(experiments[key])
        measured = Interval(count, count, count)
        expected = CLAIMED_THREADS_A_CORE * int(experiments["cores"])
        asked = f"{expected} ({asked})"
        found.append(Evidence(f"threads, {what}", (), asked, measured, judged(measured, between(expected, expected))))
    return Claim("the default thread pool has 5 threads a core", tuple(found), "Counted, not timed.")


def ten_callers(experiments: dict[str, Any] | None) -> Claim:
    found = []
    for each in (experiments or {"elapsed": []})["elapsed"]:
        measured = median_interval(each["seconds"])
        verdict = judged(measured, at_most(CLAIMED_SECONDS * ROUND_MARGIN))
        what = f"seconds, {each['work']}, {each['threads']} threads ({each['pool']})"
        asked = f"at most {CLAIMED_SECONDS * ROUND_MARGIN:.2f}"
        found.append(Evidence(what, (), asked, measured, verdict, counts=each["work"] == "computing"))
    remark = "Calls that wait stand beside: a model computes, and computing in Python holds the interpreter's lock."
    return Claim("10 users of a predict of 200 ms take 400 ms with threads", tuple(found), remark)
