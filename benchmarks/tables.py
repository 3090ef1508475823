"""Saved runs as Markdown. Measures nothing."""

from collections.abc import Callable, Sequence

from benchmarks.acceleration import table as acceleration_table
from benchmarks.account import table as account_table
from benchmarks.comparable import check_comparable
from benchmarks.markdown import figure_rows, machine, percent, table
from benchmarks.result_file import Document
from benchmarks.surroundings import table as surroundings_table
from benchmarks.tuning import table as tune_table

MEBI = 2**20


def render(runs: Sequence[Document]) -> str:
    """The section of runs of one benchmark; raises NotComparable where they do not belong together."""
    check_comparable(runs)
    return RENDERERS[runs[0]["benchmark"]](runs)


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
    "memory": memory,
    "models": models,
    "engine": engine,
    "generator": engine,
    "acceleration": acceleration_table.render,
    "account": account_table.render,
    "tune": tune_table.render,
    surroundings_table.BENCHMARK: surroundings_table.render,
}
