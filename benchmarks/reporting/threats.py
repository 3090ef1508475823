"""What may make the figures say less than they seem to: facts of the series where it has them."""

from collections.abc import Sequence
from statistics import median

from benchmarks.analysis.cells import Cells, generator_share, number
from benchmarks.machine import MOST_SLOWER, slowed
from benchmarks.markdown import MOST_STEAL, percent
from benchmarks.reporting.wording import counted

MOST_GENERATOR = 0.05


def threats(series: Sequence[Cells]) -> list[str]:
    """One sentence or two each."""
    said = [fact for cells in series for fact in of_one(cells)]
    return [*said, *OF_ALL]


def of_one(cells: Cells) -> list[str]:
    if not cells.used:
        return [f"`{cells.name}` has no valid run."]
    return [
        f"`{cells.name}`: {text}" for text in (generator(cells), machine(cells), steady(cells), blocks(cells)) if text
    ]


def generator(cells: Cells) -> str:
    """Whose share of the cores is taken from the server."""
    shares = [generator_share(run, cells.cores) for run in cells.used if run.get("generator_cpu_seconds") is not None]
    if not shares:
        return ""
    over = sum(share > MOST_GENERATOR for share in shares)
    return (
        f"the load generator ran on the server's own {counted(cells.cores, 'core')} and took {percent(min(shares))} to "
        f"{percent(max(shares))} of their time, over {percent(MOST_GENERATOR)} in {over} of "
        f"{counted(len(shares), 'run')}. The column `corrected` divides by what was left; a faster server is held back "
        f"more by it, so ratios between fast servers are rather too small."
    )


def machine(cells: Cells) -> str:
    calibrations = [seconds for run in cells.used for seconds in run["calibration_seconds"]]
    slow = sum(slowed(calibrations))
    stolen = sum(run["steal_share"] > MOST_STEAL for run in cells.used)
    return (
        f"measured on {counted(cells.cores, 'core')} of {cells.environment['cpu_model']}, whose frequency could not be "
        f"fixed: {slow} of {len(calibrations)} calibrations took over {percent(MOST_SLOWER)} more than their median, "
        f"its host stole over "
        f"{percent(MOST_STEAL)} of the time in {counted(stolen, 'run')}. More cores may scale otherwise."
    )


def steady(cells: Cells) -> str:
    """Whether a window went on as the warm-up ended."""
    ratios = [
        run["requests_per_second"] / warm
        for run in cells.used
        if run.get("offered_per_second") is None
        and run.get("requests_per_second")
        and (warm := number(run, "warm_up_requests_per_second"))
    ]
    said = cells.head["conditions"]
    rule = f"a window of {said['window_seconds']} s was taken after {said['warm_up_seconds']} s of warm-up"
    if not ratios:
        return f"{rule}."
    typical = f"in the median {median(ratios):.2f} times"
    answered = f"{min(ratios):.2f} to {max(ratios):.2f} times, {typical}, what the warm-up did"
    return f"{rule}, and in a closed loop answered {answered}."


def blocks(cells: Cells) -> str:
    wanted = int(cells.head["conditions"]["repetitions"])
    missing = sum(len(cells.runs(name)) < wanted for name in cells.scenarios)
    few = f" {counted(missing, 'cell')} of {len(cells.scenarios)} have fewer." if missing else ""
    if wanted == 1:
        return f"one fresh server for each cell, so that what differs from one start to the next is not seen.{few}"
    return (
        f"{counted(wanted, 'block')} of fresh servers; intervals hold what differs from one start to the next on this "
        f"machine, not from one machine to another.{few} Many ratios are shown, and of twenty without a difference one "
        f"may show one."
    )


OF_ALL = (
    "Requests came over the loopback interface: no network, and no TLS.",
    "Beside one process a core is left to the load generator, and every request crosses from core to core; where all "
    "cores are busy, fewer do. So a request may take less CPU there, and processes may answer more than as many times "
    "what one does: compare the CPU per request. What of it is waking the other, and what is caches, was not measured.",
    "The models of the grid are made up for their kind of work, and small; only the served one is a real model.",
    "A closed loop sends the next request once the last was answered, so its latencies leave out those that would have "
    "waited meanwhile (coordinated omission): they compare techniques under full load, and are no promise. What open "
    "loops show is counted from the moment a request was due.",
    "p99 is left out below a thousand answers; of fewer than ten thousand it is rough.",
    "The connections of an open loop are opened while the server is idle. Stock workers share them as chance has it: "
    "one may hold most of them, and its queue is what is seen.",
    "The capacity table takes what a request costs under full load. Micro-batches are smaller at less, and cost more "
    "for each row.",
    "The intervals of five blocks are bootstrapped, and hold the truth about 93 times in 100 rather than 95.",
)
