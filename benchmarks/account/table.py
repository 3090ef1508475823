"""Saved accounts as Markdown: one, or two side by side."""

from collections.abc import Sequence
from statistics import median

from benchmarks.account.stages import STAGES
from benchmarks.markdown import Row, disturbed, machine, percent, table
from benchmarks.result_file import Document

TOTAL = "**one request**"


def render(runs: Sequence[Document]) -> str:
    """Of several runs, the stages of each and what of the first one's time the last one takes."""
    costs = [microseconds(run["repetitions"]) for run in runs]
    if len(runs) == 1:
        head = ["stage", "µs of processor time", "min to max of the repetitions", "share"]
        lines = [line(name, costs[0], runs[0]["repetitions"]) for name in (*STAGES, TOTAL)]
    else:
        head = ["stage", *(f"µs, {label}" for label in labels(runs)), "last to first"]
        lines = [
            [name, *(f"{cost[name]:.1f}" for cost in costs), ratio(costs[-1][name], costs[0][name])]
            for name in (*STAGES, TOTAL)
        ]
    return "\n".join([*(opening(run) for run in runs), "", *table(head, lines), "", machine(runs)])


def microseconds(rows: Sequence[Row]) -> dict[str, float]:
    """Of one request, by stage and in all, to which the stages add up: of all repetitions together, not medians."""
    total = sum(row["worker_cpu_seconds"] for row in rows) / sum(row["requests"] for row in rows) * 1e6
    samples = {stage: sum(row["stages"].get(stage, 0) for row in rows) for stage in STAGES}
    every = sum(samples.values())
    return {stage: total * count / every for stage, count in samples.items()} | {TOTAL: total}


def line(name: str, cost: dict[str, float], rows: Sequence[Row]) -> list[str]:
    each = [microseconds([row])[name] for row in rows]
    return [name, f"{cost[name]:.1f}", f"{min(each):.1f} to {max(each):.1f}", percent(cost[name] / cost[TOTAL])]


def labels(runs: Sequence[Document]) -> list[str]:
    """Before and after, of two; else by their code."""
    if len(runs) == 2:
        return ["before", "after"]
    return [run["environment"]["code"] for run in runs]


def ratio(last: float, first: float) -> str:
    return f"{last / first:.2f}" if first else ""


def opening(run: Document) -> str:
    rows, said = run["repetitions"], run["conditions"]
    samples = sum(sum(row["stages"].values()) for row in rows)
    unsampled = median(row["unsampled_cpu_seconds_per_request"] for row in rows) * 1e6
    system = median(row["worker_system_seconds"] / row["requests"] for row in rows) * 1e6
    rate = median(row["unsampled_requests_per_second"] for row in rows)
    return (
        f"One worker, code {run['environment']['code']}, under {run['environment']['load_generator']} with "
        f"{said['connections']} keep-alive connections, {median(row['mean_batch_size'] for row in rows):.1f} rows per "
        f"predict: {samples:,} samples of its processor time in {len(rows)} fresh servers, {system:.1f} µs in the "
        f"kernel; unsampled {unsampled:.1f} µs, and {rate:,.0f} requests/s. {disturbed(rows)}"
    )
