"""A saved `make bench-tune` as Markdown: the claim, then each model's candidates."""

from collections.abc import Sequence

from benchmarks.markdown import Row, figure_rows, machine, table
from benchmarks.result_file import Document
from benchmarks.tuning.halving import MEGABYTE

# The others are in the result.
MOST_SHOWN = 5


def render(runs: Sequence[Document]) -> str:
    [run] = runs
    claim = table(["what", "asked", "measured", "holds"], figure_rows(run["figures"]))
    each = [part for tuning in run["tunings"] for part in ("", *section(tuning))]
    return "\n".join([machine(runs), "", *claim, *each])


def section(tuning: Row) -> list[str]:
    """Of one model: what was chosen among the fastest, the fastest first."""
    longer = "closed loop for longer" if tuning["closed"] else "held"
    head = ["candidate", "closed loop, requests/s", f"{longer}, requests/s", "memory", "why not"]
    screened = {each["candidate"]: each for each in tuning["trials"] if each["rung"] == tuning["trials"][0]["rung"]}
    every = sorted(tuning["exhaustive"]["trials"], key=lambda each: (bool(each["out"]), -rate(each)))
    choice = tuning["choice"]["name"]
    shown = [each for place, each in enumerate(every) if place < MOST_SHOWN or each["candidate"] == choice]
    lines = [line(each, screened[each["candidate"]]["score"], choice) for each in shown]
    load = "in a closed loop" if tuning["closed"] else "of Poisson arrivals"
    opening = (
        f"{work(tuning['model'], tuning['demand']['rows'])}: p99 within {tuning['objective_seconds'] * 1e3:,.0f} ms "
        f"{load}, accelerated by {tuning['acceleration']}; the fastest {min(MOST_SHOWN, len(every))} of {len(every)} "
        f"candidates, and what was chosen, in bold; its rate, as all others', is that of one start."
    )
    return [opening, "", *table(head, lines)]


def work(model: str, rows: int) -> str:
    return model if rows == 1 else f"{model}, {rows} rows a request"


def line(trial: Row, screened: Row, choice: str) -> list[str]:
    name = f"**{trial['candidate']}**" if trial["candidate"] == choice else trial["candidate"]
    held = f"{rate(trial):,.0f}" if trial["score"] else ""
    return [name, f"{screened['rate']:,.0f}", held, f"{screened['pss_bytes'] / MEGABYTE:,.0f} MB", trial["out"]]


def rate(trial: Row) -> float:
    return float(trial["score"]["rate"]) if trial["score"] else 0.0
