"""Saved runs as Markdown. Measures nothing."""

from collections.abc import Callable, Sequence
from statistics import median

from benchmarks.acceleration import table as acceleration_table
from benchmarks.account import table as account_table
from benchmarks.comparable import check_comparable
from benchmarks.intervals import paired_ratio
from benchmarks.markdown import Row, disturbed, figure_rows, machine, percent, ratio_text, table
from benchmarks.result_file import Document

MEBI = 2**20


def render(runs: Sequence[Document]) -> str:
    """The section of runs of one benchmark; raises NotComparable where they do not belong together."""
    check_comparable(runs)
    return RENDERERS[runs[0]["benchmark"]](runs)


def scaling(runs: Sequence[Document]) -> str:
    rows = [row | {"block": (number, row["block"])} for number, run in enumerate(runs) for row in run["repetitions"]]
    scenarios = runs[0]["scenarios"]
    by_scenario = {
        scenario["name"]: sorted((row for row in rows if row["scenario"] == scenario["name"]), key=lambda r: r["block"])
        for scenario in scenarios
    }
    head = [
        "workers", "execution", "requests/s, median (min to max)", "ratio to the first row (95 % interval)",
        "ratio to one worker of the same mode", "p50", "p99", "rows per predict", "busiest worker",
        "server CPU per request", "memory (PSS)",
    ]  # fmt: skip
    lines = [scaling_row(scenario, scenarios, by_scenario) for scenario in scenarios]
    return "\n".join([scaling_conditions(runs, rows), "", *table(head, lines)])


def scaling_conditions(runs: Sequence[Document], rows: Sequence[Row]) -> str:
    conditions = runs[0]["conditions"]
    cores = runs[0]["environment"]["cores"]
    connections = sorted({scenario["connections"] for scenario in runs[0]["scenarios"]})
    shares = [row["generator_cpu_seconds"] / (row["seconds"] * cores) for row in rows]
    blocks = len({row["block"] for row in rows})
    seeds = ", ".join(str(run["conditions"]["seed"]) for run in runs)
    return (
        f"Closed loop: {runs[0]['environment']['load_generator']} with {' and '.join(map(str, connections))} "
        f"keep-alive connections, on the same cores as the server, of whose time it took {percent(min(shares))} to "
        f"{percent(max(shares))}. Repetitions: {blocks} of each row, in interleaved blocks of random order (seed "
        f"{seeds}), each with a fresh server, {conditions['warm_up_seconds']} s of warm-up and a window of "
        f"{conditions['window_seconds']} s. Ratios are taken within blocks, and their 95 % intervals bootstrapped "
        f"over blocks. {disturbed(rows)} {machine(runs)}"
    )


def scaling_row(scenario: Row, scenarios: Sequence[Row], by_scenario: dict[str, list[Row]]) -> list[str]:
    rows = by_scenario[scenario["name"]]
    rates = [row["requests_per_second"] for row in rows]
    of_one_worker = [other["name"] for other in scenarios if same_mode(scenario, other) and other["workers"] == 1]

    def ratio_to(name: str) -> str:
        if name == scenario["name"]:
            return "1"
        return ratio_text(paired_ratio(rates, [row["requests_per_second"] for row in by_scenario[name]]))

    def typical(value: Callable[[Row], float]) -> float:
        return median(value(row) for row in rows)

    return [
        str(scenario["workers"]),
        scenario["execution"],
        f"{median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})",
        ratio_to(scenarios[0]["name"]),
        ratio_to(of_one_worker[0]),
        f"{typical(lambda row: row['p50_seconds']) * 1e3:.1f} ms",
        f"{typical(lambda row: row['p99_seconds']) * 1e3:.1f} ms",
        f"{typical(lambda row: row['mean_batch_size']):.1f}",
        percent(typical(lambda row: row["busiest_share"])),
        f"{typical(lambda row: row['server_cpu_seconds'] / row['requests']) * 1e3:.2f} ms",
        f"{typical(lambda row: row['pss_bytes']) / MEBI:.0f} MiB",
    ]


def same_mode(scenario: Row, other: Row) -> bool:
    return all(scenario[key] == other[key] for key in ("execution", "connections"))


def memory(runs: Sequence[Document]) -> str:
    [run] = runs
    first = run["measurements"][0]["pss_bytes"]
    head = ["workers", "memory of all processes (PSS)", "ratio", "private to the arbiter", "private to each worker"]
    lines = []
    for measured in run["measurements"]:
        arbiter, *others = (f"{process['private_bytes'] / MEBI:.0f} MiB" for process in measured["processes"])
        total, workers = measured["pss_bytes"], measured["workers"]
        row = [str(workers), f"{total / MEBI:.0f} MiB", f"{total / first:.2f}", arbiter]
        lines.append([*row, " and ".join(others[:workers]), *others[workers:]])
    # Servers of older results had no ops worker.
    head += ["private to the ops worker"] * (len(lines[0]) - len(head))
    opening = (
        f"A random forest of {run['trees']} trees, {run['artifact_bytes'] / MEBI:.0f} MiB on disk, after "
        f"{run['requests']:,} requests of one row, all answered as the estimator answers them. {machine(runs)}"
    )
    return "\n".join([opening, "", *table(head, lines)])


def engine(runs: Sequence[Document]) -> str:
    [run] = runs
    head = ["what", "asked", "measured", "holds"]
    return "\n".join([machine(runs), "", *table(head, figure_rows(run["figures"]))])


def models(runs: Sequence[Document]) -> str:
    [run] = runs
    head = ["model", "judged on", "answers", "accuracy", "Brier score", "right, where it is 90 % sure or more"]
    lines = []
    for judgement in run["judgements"]:
        report = judgement["report"]
        sure = [each for each in report["reliability"] if each["low"] >= 0.9]
        right = f"{percent(sure[0]['accuracy'])} of {sure[0]['count']:,}" if sure else "none"
        figures = report["figures"]
        row = [judgement["model"], judgement["rows"], f"{report['rows_held_out']:,}", f"{figures['accuracy']:.3f}"]
        lines.append([*row, f"{figures['Brier score']:.3f}", right])
    return "\n".join([*table(head, lines), "", machine(runs)])


RENDERERS: dict[str, Callable[[Sequence[Document]], str]] = {
    "scaling": scaling,
    "memory": memory,
    "models": models,
    "engine": engine,
    "acceleration": acceleration_table.render,
    "account": account_table.render,
}
