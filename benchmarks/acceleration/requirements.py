"""What is asked of the measurement, and whether it holds: judged from the saved rows alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from benchmarks.engine.figures import Figure
from benchmarks.intervals import paired_ratio
from benchmarks.markdown import Row, percent, ratio_text

MOST_P50_SECONDS = 0.0005
MOST_COST = 1.05
LEAST_ROWS = 0.95
MODELS = {"text": "text model", "forest": "forest", "boosting": "gradient boosting"}
Rows = dict[str, list[Row]]


@dataclass(frozen=True, slots=True)
class Faster:
    """
    Requests a second of one arm over those of another: medians, or the other's best start.

    Connections spread over stock workers by luck: the best start is the one that chance balanced.
    """

    what: str
    arm: str
    other: str
    least: float | None
    of: Literal["median", "best"] = "median"

    def judge(self, rows: Rows) -> Figure:
        measured = median(rates(rows[self.arm]))
        best = max(rows[self.other], key=lambda row: float(row["requests_per_second"]))
        other = best["requests_per_second"] if self.of == "best" else median(rates(rows[self.other]))
        ratio = measured / other
        said = f"{ratio:.2f} ({measured:,.0f} to {other:,.0f} requests/s"
        if self.of == "best":
            said += f", the best of {len(rows[self.other])}, its busiest worker {percent(best['busiest_share'])}"
        asked = "reported" if self.least is None else f"at least {self.least:g}"
        return Figure(self.what, asked, f"{said})", None if self.least is None else ratio >= self.least)


REQUIREMENTS = (
    Faster("text model against asyncio.to_thread, 32 connections", "text", "to-thread", 9),
    Faster("text model against two blocking workers, 32 connections", "text", "blocking", 4, "best"),
    Faster("text model against FastAPI that predicts nothing, 32 connections", "text", "fastapi", 0.8, "best"),
    Faster("the same, 128 connections", "text-128", "fastapi-128", 0.8, "best"),
    Faster("text model, 128 connections against 32", "text-128", "text", 0.95),
    Faster("forest of 200 trees against its own predict, one row", "forest", "forest-off", 25),
    Faster("gradient boosting against its own predict, one row", "boosting", "boosting-off", 6),
)
STRETCH = (
    Faster("stretch: text model against FastAPI that predicts nothing, medians", "text", "fastapi", None),
    Faster("stretch: text model against a bare Starlette route", "text", "starlette", None, "best"),
)


def judged(repetitions: Sequence[Row], costs: Sequence[Row]) -> list[Figure]:
    """One figure for each requirement whose arms were measured, then what is reported only."""
    rows: Rows = {}
    for row in sorted(repetitions, key=lambda row: int(row["block"])):
        rows.setdefault(row["arm"], []).append(row)
    others: tuple[tuple[set[str], Callable[[Rows], Figure]], ...] = (
        ({"text-1", "fastapi-1"}, alone),
        ({"forest-1"}, forest_alone),
        ({"forest-rows", "forest-rows-off"}, many_rows),
    )
    figures = [each.judge(rows) for each in REQUIREMENTS if {each.arm, each.other} <= rows.keys()]
    figures += [judge(rows) for arms, judge in others if arms <= rows.keys()]
    figures += [cost(row) for row in costs]
    return figures + [each.judge(rows) for each in STRETCH if {each.arm, each.other} <= rows.keys()]


def alone(rows: Rows) -> Figure:
    own, other = (median(row["p50_seconds"] for row in rows[name]) for name in ("text-1", "fastapi-1"))
    measured = f"{own / other:.2f} ({own * 1e3:.3f} to {other * 1e3:.3f} ms)"
    what = "p50 of the text model against FastAPI that predicts nothing, 1 connection"
    return Figure(what, "at most 1.2", measured, own / other <= 1.2)


def forest_alone(rows: Rows) -> Figure:
    p50 = median(row["p50_seconds"] for row in rows["forest-1"])
    asked = f"under {MOST_P50_SECONDS * 1e3:g} ms on this machine"
    return Figure("p50 of the forest, one row, 1 connection", asked, f"{p50 * 1e3:.3f} ms", p50 < MOST_P50_SECONDS)


def many_rows(rows: Rows) -> Figure:
    ratio = paired_ratio(rates(rows["forest-rows"]), rates(rows["forest-rows-off"]))
    what = "forest, 256 rows a request against its own predict, 4 connections"
    return Figure(what, f"at least {LEAST_ROWS:g}", ratio_text(ratio), ratio.value >= LEAST_ROWS)


def cost(row: Row) -> Figure:
    """The automatic choice over the way with the lower median, in ratios within rounds."""
    seconds = dict(row["seconds"])
    auto = seconds.pop("auto")
    name, best = min(seconds.items(), key=lambda way: median(way[1]))
    ratio = median(one / other for one, other in zip(auto, best, strict=True))
    what = f"cost of the choice: {MODELS[row['model']]}, {row['rows']:,} rows"
    measured = f"{ratio:.3f} ({median(auto) * 1e6:,.0f} µs; best: {name}, {median(best) * 1e6:,.0f} µs)"
    return Figure(what, f"at most {MOST_COST:g}", measured, ratio <= MOST_COST)


def rates(rows: Sequence[Row]) -> list[float]:
    return [float(row["requests_per_second"]) for row in rows]
