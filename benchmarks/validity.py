"""When a run says nothing, though every request in it was answered rightly: the machine was not itself."""

from collections.abc import Sequence
from statistics import median

from benchmarks.machine import MOST_SLOWER
from benchmarks.markdown import MOST_STEAL, Row, percent

# Of so few calibrations a median says little.
FEWEST_CALIBRATIONS = 6


def reasons(run: Row, earlier: Sequence[Row]) -> list[str]:
    """Why the run is void, beside what its load generator says of itself; `earlier` are the runs of its series."""
    found = []
    seen = [seconds for each in (*earlier, run) for seconds in each["calibration_seconds"]]
    slower = max(run["calibration_seconds"]) / median(seen) - 1
    if len(seen) >= FEWEST_CALIBRATIONS and slower > MOST_SLOWER:
        found.append(f"the machine was {percent(slower)} slower than it mostly was")
    if run["steal_share"] > MOST_STEAL:
        found.append(f"its host gave {percent(run['steal_share'])} of the time to others")
    return found
