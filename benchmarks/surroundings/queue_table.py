"""The queue pattern beside direct answers, of a saved run, as Markdown."""

from collections.abc import Sequence
from statistics import median

from benchmarks.intervals import paired_ratio
from benchmarks.markdown import Row, ratio_text, table
from benchmarks.result_file import Document


def render(run: Document) -> list[str]:
    rows = run["queue"]
    ways = list(dict.fromkeys(row["way"] for row in sorted(rows, key=lambda row: row["way"] != "direct")))
    others = [way for way in ways if way != "direct"]
    head = ["rows a request", "clients", *ways, *(f"direct to {way}" for way in others)]
    loads = sorted({(row["rows"], row["clients"]) for row in rows})
    return [conditions(run), *table(head, [line(rows, load, ways) for load in loads])]


def conditions(run: Document) -> str:
    said, busiest = run["conditions"], max(row["client_cpu_share"] for row in run["queue"])
    return (
        f"**Through the queue.** Closed loop: each client asks `/predict_batch` and has the answer, or "
        f"`/predict_background` and then `GET /jobs/{{id}}` every {said['poll_seconds'] * 1e3:g} ms until the result "
        f"is there, and asks again; the clients are one process on the same cores, and took at most {busiest:.0%} of "
        f"one. One serving worker; one consumer beside it for jobs, whose queue is on this host's disk. "
        f"{said['repetitions']} repetitions in interleaved blocks, each with fresh servers and a window of "
        f"{said['queue_window_seconds']:g} s; each result was compared with the estimator's own. A cell has results/s, "
        f"median (min to max), then the p50 and the longest time to the result.\n"
    )


def line(rows: Sequence[Row], load: tuple[int, int], ways: Sequence[str]) -> list[str]:
    of = {
        way: sorted(
            (row for row in rows if row["way"] == way and (row["rows"], row["clients"]) == load),
            key=lambda row: int(row["block"]),
        )
        for way in ways
    }
    rates = {way: [row["results_per_second"] for row in of[way]] for way in ways}
    ratios = [ratio_text(paired_ratio(rates["direct"], rates[way])) for way in ways if way != "direct"]
    return [str(load[0]), str(load[1]), *(cell(of[way]) for way in ways), *ratios]


def cell(rows: Sequence[Row]) -> str:
    rates = [row["results_per_second"] for row in rows]
    p50 = median(row["p50_seconds"] for row in rows)
    longest = max(row["longest_seconds"] for row in rows)
    told = f"{median(rates):,.1f} ({min(rates):,.1f} to {max(rates):,.1f})"
    return f"{told}; {p50 * 1e3:,.1f}, {longest * 1e3:,.1f} ms"
