"""The pieces that the tables of all benchmarks share."""

from collections.abc import Sequence
from typing import Any

from benchmarks.intervals import Ratio
from benchmarks.machine import slowed
from benchmarks.result_file import Document

MOST_STEAL = 0.01
Row = dict[str, Any]


def ratio_text(ratio: Ratio) -> str:
    if ratio.low is None:
        return f"{ratio.value:.2f} (one block: no interval)"
    text = f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
    return text if ratio.shows_difference else f"{text}, no difference shown"


def disturbed(rows: Sequence[Row]) -> str:
    """How many repetitions the machine may have disturbed."""
    calibrations = slowed([seconds for row in rows for seconds in row["calibration_seconds"]])
    slow = [before or after for before, after in zip(calibrations[::2], calibrations[1::2], strict=True)]
    stolen = [row["steal_share"] > MOST_STEAL for row in rows]
    flagged = sum(one or other for one, other in zip(slow, stolen, strict=True))
    return (
        f"Perhaps disturbed: {flagged} of {len(rows)} repetitions (a calibration before or after took over 5 % more "
        f"than the median: {sum(slow)}; over 1 % of the time stolen by the host: {sum(stolen)})."
    )


def machine(runs: Sequence[Document]) -> str:
    """Where and when: one sentence."""
    last = runs[-1]["environment"]
    libraries = ", ".join(f"{name} {number}" for name, number in last["libraries"].items())
    commit = "not committed" if last["commit"] is None else f"commit {last['commit']}"
    settings = ", ".join(f"{name}={value}" for name, value in last["settings"].items()) or "all at their defaults"
    return (
        f"{last['cpu_model']}, {last['cores']} cores, Linux {last['kernel']}; {last['date'][:10]}, {commit}"
        f"{' with changes' if last['dirty'] else ''}, code {last['code']}; Python {last['python']}, {libraries}; model "
        f"{last['model']['name']} {last['model']['version']}; other settings: {settings}."
    )


def percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def figure_rows(figures: Sequence[Row]) -> list[list[str]]:
    """What was asked beside what was measured; `holds` is None where it is reported only."""
    said = {True: "yes", False: "**no**", None: "reported"}
    return [[figure["what"], figure["asked"], figure["measured"], said[figure["holds"]]] for figure in figures]
