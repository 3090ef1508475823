"""A saved run as Markdown: what waiting costs and what failing does, with their conditions."""

from collections.abc import Sequence
from statistics import median

from benchmarks.intervals import paired_ratio
from benchmarks.load_generator import latencies
from benchmarks.load_generator.outcome import FEWEST
from benchmarks.markdown import Row, disturbed, machine, ratio_text, table
from benchmarks.result_file import Document
from benchmarks.surroundings import fault_table, queue_table
from benchmarks.surroundings.arms import RATIOS

BENCHMARK = "surroundings"
NOT_YET = "Not measured yet: `make bench-surroundings` does."


def render(runs: Sequence[Document]) -> str:
    [run] = runs
    parts = [machine(runs)]
    if "visits" in run:
        parts += [waiting_conditions(run), *waiting(run), ""]
    if "burst" in run:
        parts += [burst(run["burst"]), ""]
    if "faults" in run:
        parts += [*fault_table.render(run), ""]
    if "queue" in run:
        parts += [*queue_table.render(run), ""]
    return "\n".join(parts[:-1])


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f}" if seconds < 0.1 else f"{seconds * 1e3:,.0f}"


def waiting_conditions(run: Document) -> str:
    said = run["conditions"]
    return (
        f"\n**Features before a predict.** Closed loop: our own load generator, keep-alive, on the "
        f"same cores as the server and the store; one worker each, the model that is served by default, each request "
        f"another entity whose text the store has. FastAPI awaits the store (aiohttp), or asks it in one of its forty "
        f"threads, or blocks its event loop with it (urllib3, its connections kept). {said['repetitions']} repetitions "
        f"in interleaved blocks of random order (seed {said['seed']}), each with fresh servers, and a window of "
        f"{said['window_seconds']:g} s for each load; each answer was compared with the estimator's own. A cell has "
        f"requests/s, median (min to max), then p50 and p99 in ms; of fewer than {FEWEST[99]:,} answers there is no "
        f"p99, but the longest. {alone(run['store_alone'])} It took at most {busiest(run):.0%} of a core. "
        f"{disturbed(run['visits'])} {voided(run)}\n"
    )


def alone(rows: Sequence[Row]) -> str:
    told = [
        f"{row['delay_seconds'] * 1e3:g} ms: {row['requests_per_second']:,.0f}/s at {row['connections']} "
        f"connections, p50 {milliseconds(row['p50_seconds'])} ms"
        for row in rows
    ]
    return f"The store alone, asked by the load generator: {'; '.join(told)}."


def busiest(run: Document) -> float:
    """The largest share of a core that the store took in a window."""
    window = run["conditions"]["window_seconds"]
    return float(max(cell["store_cpu_seconds"] for visit in run["visits"] for cell in visit["cells"]) / window)


def voided(run: Document) -> str:
    told = [reason for visit in run["visits"] for cell in visit["cells"] for reason in cell["void"]]
    return f"Of the load generator: {'; '.join(sorted(set(told)))}." if told else "The load generator was never busy."


def waiting(run: Document) -> list[str]:
    titles = {arm["name"]: arm["title"] for arm in run["arms"]}
    ratios = [f"{titles[one]} to {titles[other]}" for one, other in RATIOS]
    head = ["store", "connections", *titles.values(), "requests a query of Forkcast's", *ratios]
    loads = sorted({(cell["delay_seconds"], cell["connections"]) for cell in run["visits"][0]["cells"]})
    return table(head, [waiting_row(run, load, list(titles)) for load in loads])


def waiting_row(run: Document, load: tuple[float, int], arms: Sequence[str]) -> list[str]:
    cells = {arm: cells_of(run, arm, load) for arm in arms}
    own = cells[arms[0]]
    together = sum(cell["requests"] for cell in own) / sum(cell["queries"] for cell in own)
    ratios = [ratio_text(paired_ratio(rates(cells[one]), rates(cells[other]))) for one, other in RATIOS]
    told = [cell_text(cells[arm]) for arm in arms]
    return [f"{load[0] * 1e3:g} ms", str(load[1]), *told, f"{together:.1f}", *ratios]


def cells_of(run: Document, arm: str, load: tuple[float, int]) -> list[Row]:
    """One of each block, in their order."""
    visits = sorted((visit for visit in run["visits"] if visit["arm"] == arm), key=lambda visit: int(visit["block"]))
    return [cell for visit in visits for cell in visit["cells"] if (cell["delay_seconds"], cell["connections"]) == load]


def rates(cells: Sequence[Row]) -> list[float]:
    return [cell["requests_per_second"] for cell in cells]


def cell_text(cells: Sequence[Row]) -> str:
    each = rates(cells)
    together = latencies.decoded(cell["histogram"] for cell in cells)
    p50 = latencies.percentile(together, 50)
    p99 = latencies.percentile(together, 99, fewest=FEWEST[99])
    assert p50 is not None
    last = (
        f"longest {milliseconds(together.get_max_value() / latencies.MICROSECONDS)}"
        if p99 is None
        else milliseconds(p99)
    )
    return f"{rate(median(each))} ({rate(min(each))} to {rate(max(each))}); {milliseconds(p50)}, {last}"


def rate(per_second: float) -> str:
    return f"{per_second:,.1f}" if per_second < 100 else f"{per_second:,.0f}"


def burst(row: Row) -> str:
    seconds = row["together_seconds"]
    return (
        f"{row['requests']} requests at once, on as many connections to one worker with a store of "
        f"{milliseconds(row['delay_seconds'])} ms: all are answered after {milliseconds(median(seconds))} ms (median "
        f"of {len(seconds)} bursts, {milliseconds(min(seconds))} to {milliseconds(max(seconds))} ms); one after the "
        f"other they take {row['in_a_row_seconds']:.2f} s."
    )
