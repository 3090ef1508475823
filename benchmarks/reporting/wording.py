"""Numbers and names as the report words them."""

from collections.abc import Sequence

from benchmarks.analysis.cells import Cells
from benchmarks.intervals import Interval, Ratio
from benchmarks.markdown import Row, ratio_text

MEBI = 2**20
NOT_MEASURED = "not measured"
TECHNIQUES = {
    "blocking": "FastAPI, async route",
    "run_in_executor": "FastAPI, run_in_executor",
    "to_thread": "FastAPI, asyncio.to_thread",
    "def_route": "FastAPI, def route",
    "process_pool": "FastAPI, process pool",
    "asgi_worker": "FastAPI, Gunicorn's asgi worker",
    "onnx": "FastAPI, ONNX Runtime",
    "queue": "FastAPI, queue and consumer",
    "plain_loop": "no HTTP: a plain loop",
    "inline": "Forkcast, inline",
    "threads": "Forkcast, threads",
    "microbatch": "Forkcast, micro-batches",
}


def technique(scenario: Row) -> str:
    name = str(scenario["technique"])
    return TECHNIQUES.get(name, name.replace("_", " "))


def request_kind(scenario: Row) -> str:
    rows = "1 row" if scenario["rows"] == 1 else f"{scenario['rows']} rows"
    return f"{scenario['model']}, {rows}"


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def interval_text(interval: Interval | None, *, scale: float = 1.0, digits: int = 0, unit: str = "") -> str:
    """`105 (100 to 110)`; what has no interval is its value alone."""
    if interval is None:
        return NOT_MEASURED
    unit = f" {unit}" if unit else ""
    value = f"{interval.value * scale:,.{digits}f}"
    if interval.low is None or interval.high is None:
        return f"{value}{unit}"
    return f"{value} ({interval.low * scale:,.{digits}f} to {interval.high * scale:,.{digits}f}){unit}"


def ratio_or_not(ratio: Ratio | None) -> str:
    return NOT_MEASURED if ratio is None else ratio_text(ratio)


def milliseconds(interval: Interval | None, digits: int = 1) -> str:
    return interval_text(interval, scale=1e3, digits=digits, unit="ms")


def mebibytes(interval: Interval | None) -> str:
    return interval_text(interval, scale=1 / MEBI, unit="MiB")


def blocks_text(cells: Cells) -> str:
    """How often the cells were measured."""
    counts = sorted({len(cells.runs(name)) for name in cells.scenarios} - {0})
    if not counts:
        return "no valid run"
    return counted(counts[0], "run") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} runs"
