"""The faults of a saved run as Markdown."""

from benchmarks.markdown import Row, table
from benchmarks.result_file import Document

TOLD = {
    "well": "none",
    "down": "down: connections are refused",
    "hanging": "takes connections, never answers",
    "slow": "answers after twice the deadline",
    "flapping": "down and up every half second",
    "garbage": "answers HTML",
    "errors": "answers 500",
}
KINDS = {"refuse": "503", "default": "defaults"}
# Who is not there cannot count who comes: then what the workers tried is told.
NOT_COUNTING = ("down", "flapping")


def render(run: Document) -> list[str]:
    head = [
        "fault", "workers", "configured answer", "answers", "p50", "p99", "longest", "queries a second while let alone",
        "well again after", "holds",
    ]  # fmt: skip
    rows = sorted(run["faults"], key=lambda row: list(TOLD).index(row["fault"]))
    return [conditions(run), *table(head, [line(row) for row in rows])]


def conditions(run: Document) -> str:
    said = run["conditions"]
    late = max(row["most_late_seconds"] for row in run["faults"])
    return (
        f"**A feature store that fails.** Open loop, Poisson arrivals of {said['rate']} requests/s on connections that "
        f"are kept, on the same cores, each latency from when the request was due (at most {late * 1e3:.0f} ms before "
        f"it was sent); FORKCAST_FEATURES_TIMEOUT_SECONDS={said['deadline_seconds']:g}, each fault for "
        f"{said['phase_seconds']:g} s and the next one once all is well. Two servers at a time suffer side by side, "
        f"each with a store of its own: one answers 503 without its store (FORKCAST_FEATURES_ON_FAILURE=refuse), one "
        f"predicts with defaults. Each prediction was of the entity's own features, or said that it was not. It holds "
        f"where p99 is within the deadline and {said['slack_seconds'] * 1e3:g} ms, there is no other answer than 200 "
        f"and the configured one, and all is well within {said['most_recovery_seconds']:g} s of the fault's end; "
        f"queries are those of all workers in the time in which each lets its store alone.\n"
    )


def verdict(row: Row) -> str:
    if row["holds"]:
        return "yes"
    late = row["most_late_seconds"]
    # A latency counts from when the request was due: the machine, not the server, may have been too slow.
    return "**no**" if late <= row["slack_seconds"] else f"void: the load came up to {late * 1e3:.0f} ms late"


def line(row: Row) -> list[str]:
    alone = row["let_alone"]
    came = alone["tried" if row["fault"] in NOT_COUNTING else "arrived"]
    recovery = row["recovery_seconds"]
    return [
        TOLD[row["fault"]],
        str(row["workers"]),
        KINDS[row["on_failure"]],
        ", ".join(f"{count:,} x {what}" for what, count in sorted(row["statuses"].items())),
        *(f"{row[name] * 1e3:.0f} ms" for name in ("p50_seconds", "p99_seconds", "longest_seconds")),
        f"{came / alone['seconds']:.1f} ({came} in {alone['seconds']:.1f} s)"
        if alone["seconds"]
        else "never let alone",
        "**never**" if recovery is None else f"{recovery:.1f} s",
        verdict(row),
    ]
