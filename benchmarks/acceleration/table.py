"""A saved run as Markdown: what was asked beside what was measured, then every arm."""

from collections.abc import Callable, Sequence
from statistics import median

from benchmarks.markdown import Row, disturbed, figure_rows, machine, percent, table
from benchmarks.result_file import Document

MEBI = 2**20


def render(runs: Sequence[Document]) -> str:
    [run] = runs
    asked = table(["what", "asked", "measured", "holds"], figure_rows(run["figures"]))
    head = [
        "arm", "workers", "connections", "requests/s, median (min to max)", "p50", "p99", "rows per predict",
        "busiest worker (of the best start)", "server CPU per request", "wrk's CPU per request", "memory (PSS)",
        "accelerated by",
    ]  # fmt: skip
    measured = {row["arm"] for row in run["repetitions"]}
    arms = [arm_row(arm, run["repetitions"]) for arm in run["arms"] if arm["name"] in measured]
    return "\n".join([conditions(run), "", *asked, "", *table(head, arms)])


def conditions(run: Document) -> str:
    said, rows = run["conditions"], run["repetitions"]
    disturbances = f" {disturbed(rows)}" if rows else ""
    return (
        f"Closed loop: {run['environment']['load_generator']}, keep-alive, on the same cores as the server. "
        f"Repetitions: {said['repetitions']} of each arm, in interleaved blocks of random order (seed {said['seed']}), "
        f"each with a fresh server, {said['warm_up_seconds']} s of warm-up and a window of {said['window_seconds']} s; "
        f"known instances are asked before, under and after the load, and answered as the estimator answers them. "
        f"Costs: processor time, medians of {said['rounds']} interleaved rounds.{disturbances} {machine([run])}"
    )


def arm_row(arm: Row, repetitions: Sequence[Row]) -> list[str]:
    rows = [row for row in repetitions if row["arm"] == arm["name"]]
    rates = [row["requests_per_second"] for row in rows]
    best = max(rows, key=lambda row: float(row["requests_per_second"]))

    def typical(value: Callable[[Row], float]) -> float:
        return median(value(row) for row in rows)

    batches = [row["mean_batch_size"] for row in rows if "mean_batch_size" in row]
    return [
        f"{arm['name']}: {arm['question']}",
        str(arm["workers"]),
        str(arm["connections"]),
        f"{median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})",
        f"{typical(lambda row: row['p50_seconds']) * 1e3:.2f} ms",
        f"{typical(lambda row: row['p99_seconds']) * 1e3:.2f} ms",
        f"{median(batches):.1f}" if batches else "",
        f"{percent(typical(lambda row: row['busiest_share']))} ({percent(best['busiest_share'])})",
        f"{typical(lambda row: row['server_cpu_seconds'] / row['requests']) * 1e6:,.0f} µs",
        f"{typical(lambda row: row['generator_cpu_seconds'] / row['requests']) * 1e6:,.0f} µs",
        f"{typical(lambda row: row['pss_bytes']) / MEBI:.0f} MiB",
        ", ".join(sorted({row["acceleration"] for row in rows if "acceleration" in row})),
    ]
